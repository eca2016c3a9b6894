# The card's key is made once, on a personalised card; what needs it waits for it.

include personalised.story

> 00 47 81 00 00
< 6985
> 80 5A 01 00 10 {zeros:16} 00
< 6985
> 80 5A 00 00 10 {zeros:16} 00
< 6985
> 00 D6 00 00 01 00
< 6985
> 00 DA 01 04 22 {u16:1} {zeros:32}
< 6985
balance 0

> 00 47 80 00 00
< 7F49 43 86 41 04 {card_key:64} 9000
> 00 47 80 00 00
< 6985
> 00 47 81 00 00
< 7F49 43 86 41 04 {card_key} 9000
power_cycle
> 00 47 81 00 00
< 6985
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 47 80 00 00
< 6985
> 00 47 81 00 00
< 7F49 43 86 41 04 {card_key} 9000

# Each enrolment is over its own nonce, and no signature is given twice.
> 80 5A 01 00 10 {zeros:16} 00
< {first:64} 9000
check enrolment nonce={zeros:16} signature=first
> 80 5A 01 00 10 {zeros:15} 01 00
< {second:64} 9000
check enrolment nonce={zeros:15}01 signature=second
check status life_cycle=3 balance=0 generation=0 pin_tries=3 puk_tries=10
> 00 B2 01 0C 00
< 6A83
> 00 B2 01 14 00
< 6A83
