# SELECT and what is answered before it, on a blank card, a personalised and an active one.

> 80 5C 00 00 00
< 6985
> 00 20 00 01
< 6985

# Another application, a part of our name, a longer name; then quietly.
> 00 A4 04 00 05 A0 00 00 00 03 00
< 6A82
> 00 A4 04 00 07 {aid[0..7]} 00
< 6A82
> 00 A4 04 00 09 {aid} 00 00
< 6A82
> 80 5C 00 00 00
< 6985
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 80 5C 00 00 00
< 6985

# Form: class, instruction, parameters, length, in this order.
> 01 FF FF FF
< 6E00
> 10 A4 04 00 {len:aid} {aid} 00
< 6E00
> FF A4 04 00 {len:aid} {aid} 00
< 6E00
> 00 FF FF FF 05
< 6D00
> 80 A4 04 00 {len:aid} {aid} 00
< 6D00
> 00 5C 00 00 00
< 6D00
> 00 A4 00 00 {len:aid} {aid} 00
< 6A86
> 00 A4 04 04 {len:aid} {aid} 00
< 6A86
> 80 5C 00 01 00
< 6A86
> 80 5C 01 00 00
< 6A86
> 80 50 03 00 00
< 6A86
> 00 B2 01 04 00
< 6A86
> 00 A4 04 00
< 6700
> 00 A4 04 00 {len:aid} {aid}
< 6700
> 00 A4 04 0C {len:aid} {aid} 00
< 6700
> 00 A4 04 00 {len:aid} {aid} 28
< 6700
> 00 A4 04 00 09 {aid} 00
< 6700
> 00 A4 04 00 {len:aid} {aid} 00 00
< 6700
> 00 A4 04 00 11 {aid} {aid} 00 00
< 6700
> 80 5C 00 00
< 6700
> 80 5C 00 00 01 00 00
< 6700
> 80 5C 00 00 09
< 6700
> 80 5A 00 00 0F {zeros:15} 00
< 6700
> 80 5A 00 00 10 {zeros:16}
< 6700
> 00 20 00 01 07 {zeros:7}
< 6700
> 00 20 00 01 00
< 6700
> 80 54 00 00 00
< 6700

# An Le that suffices is as good as 00.
> 00 A4 04 00 {len:aid} {aid} 29
< 6F 13 84 08 {aid} 8A 01 01 A5 04 80 02 01 00 9000

include certified.story
> 00 A4 04 00 {len:aid} {aid} 00
< 6F 27 84 08 {aid} 8A 01 05 A5 18 80 02 01 00
    81 08 {issuer} 82 02 {u16:392} 83 04 {u32:0} 9000
make payment_certificate first generation=1
> 00 DA 01 02 {len:first} {first}
< 9000
> 00 A4 04 00 {len:aid} {aid} 00
< 6F 27 84 08 {aid} 8A 01 05 A5 18 80 02 01 00
    81 08 {issuer} 82 02 {u16:392} 83 04 {u32:1} 9000
> 00 A4 04 0C {len:aid} {aid}
< 9000
balance 0

# A name that is not ours leaves the applet selected; a reset does not.
> 00 A4 04 00 05 A0 00 00 00 03 00
< 6A82
balance 0
reset
> 80 5C 00 00 00
< 6985
> 00 A4 04 0C {len:aid} {aid}
< 9000
balance 0
power_cycle
> 80 5C 00 00 00
< 6985
