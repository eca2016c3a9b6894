# Personalisation: what it refuses, and that it happens once.

> 00 A4 04 0C {len:aid} {aid}
< 9000

# A blank card does nothing else.
> 00 47 80 00 00
< 6985
> 00 47 81 00 00
< 6985
> 00 CA 01 03 00
< 6985
> 80 5A 00 00 10 {zeros:16} 00
< 6985
> 80 5A 01 00 10 {zeros:16} 00
< 6985
> 00 D6 00 00 01 00
< 6985
> 00 DA 01 04 22 {u16:1} {zeros:32}
< 6985
make payment_certificate first
> 00 DA 01 02 {len:first} {first}
< 6985
> 00 B0 00 00 00
< 6985
> 00 B2 01 0C 00
< 6985
> 00 E6 00 00
< 6985

# PUK of 7 digits; PIN of 3; a letter in a PIN; padding before a digit; order_pin 3; a root key
# that is not on the curve; a byte too few; a byte too many.
let limits = {u64:100000} {u64:50000} {u64:2000} {u64:5000}
> 00 DA 01 01 83 {card} {issuer} {root} {u16:392} {limits} 00 {pin:1234} {pin:1234567}
< 6A80
> 00 DA 01 01 83 {card} {issuer} {root} {u16:392} {limits} 00 313233FFFFFFFFFF {pin:12345678}
< 6A80
> 00 DA 01 01 83 {card} {issuer} {root} {u16:392} {limits} 00 31324134FFFFFFFF {pin:12345678}
< 6A80
> 00 DA 01 01 83 {card} {issuer} {root} {u16:392} {limits} 00 31323334FFFFFF35 {pin:12345678}
< 6A80
> 00 DA 01 01 83 {card} {issuer} {root} {u16:392} {limits} 03 {pin:1234} {pin:12345678}
< 6A80
> 00 DA 01 01 83 {card} {issuer} {zeros:64} {u16:392} {limits} 00 {pin:1234} {pin:12345678}
< 6A80
> 00 DA 01 01 82 {card} {issuer} {root} {u16:392} {limits} 00 {pin:1234} 31323334353637
< 6700
> 00 DA 01 01 84 {card} {issuer} {root} {u16:392} {limits} 00 {pin:1234} {pin:12345678} 00
< 6700
> 00 A4 04 00 {len:aid} {aid} 00
< 6F 13 84 08 {aid} 8A 01 01 A5 04 80 02 01 00 9000

> 00 DA 01 01 83 {card} {issuer} {root} {u16:392} {limits} 00 {pin:1234} {pin:12345678}
< 9000
> 00 A4 04 00 {len:aid} {aid} 00
< 6F 27 84 08 {aid} 8A 01 03 A5 18 80 02 01 00
    81 08 {issuer} 82 02 {u16:392} 83 04 {u32:0} 9000
> 00 CA 01 03 00
< {u32:0} {limits} 00 9000
balance 0

# Never again, with the same data or with other data.
> 00 DA 01 01 83 {card} {issuer} {root} {u16:392} {limits} 00 {pin:1234} {pin:12345678}
< 6985
> 00 DA 01 01 83 {card} {issuer} {stranger} {u16:978} {limits} 00 {pin:9999} {pin:99999999}
< 6985
power_cycle
> 00 A4 04 00 {len:aid} {aid} 00
< 6F 27 84 08 {aid} 8A 01 03 A5 18 80 02 01 00
    81 08 {issuer} 82 02 {u16:392} 83 04 {u32:0} 9000
> 00 CA 01 03 00
< {u32:0} {limits} 00 9000

# Nothing that needs an active card.
> 00 20 00 01
< 6985
> 00 20 00 01 08 {pin:1234}
< 6985
> 00 24 00 01 10 {pin:1234} {pin:4321}
< 6985
> 00 2C 00 01 10 {pin:12345678} {pin:4321}
< 6985
> 00 B2 01 1C 00
< 6985
> 00 B0 00 00 00
< 6985
> 80 50 00 00 32 {zeros:32} {shop} {u64:1} {u16:392} 00
< 6985
> 80 50 01 00 2B 02 {zeros:32} {u64:1} {u16:392} 00
< 6985
> 80 50 02 00 42 {zeros:16} {shop} {zeros:32} {u64:1} {u16:392} 00
< 6985
make token load
> 80 52 00 00 {len:load} {load} 00
< 6985
> 80 52 01 00 04 {u32:1} 00
< 6985
make permit permit
> 80 54 00 00 {len:permit} {permit} 00
< 6985
make limits next
> 00 DA 01 03 {len:next} {next}
< 6985
> 00 E6 00 00
< 6985
