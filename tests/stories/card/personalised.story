# A blank card gets its identity, limits, PIN and PUK.

> 00 A4 04 00 {len:aid} {aid} 00
< 6F 13 84 08 {aid} 8A 01 01 A5 04 80 02 01 00 9000
> 00 DA 01 01 83 {card} {issuer} {root} {u16:392}
    {u64:100000} {u64:50000} {u64:2000} {u64:5000} 00 {pin:1234} {pin:12345678}
< 9000
