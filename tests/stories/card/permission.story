# A verified PIN allows exactly the next command.

include blank_to_active.story
let order = {zeros:16} {shop} {zeros:32} {u64:100} {u16:392}
make limits strict version=1 order_pin=2
> 00 DA 01 03 {len:strict} {strict}
< 9000
> 80 50 02 00 42 {order} 00
< 6982

> 00 20 00 01 08 {pin:1234}
< 9000
> 80 50 02 00 42 {order} 00
< {signature:64} 9000
check order amount=100
> 80 50 02 00 42 {order} 00
< 6982

# Asking for it leaves it; everything else takes it: a harmless command, a refused one, a malformed
# one, one of an unknown instruction, class or parameter, SELECT, a wrong SELECT.
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 20 00 01
< 9000
> 00 20 00 01
< 9000
> 80 50 02 00 42 {order} 00
< {signature:64} 9000
> 00 20 00 01 08 {pin:1234}
< 9000
balance 10000
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 50 02 00 42 {zeros:16} {shop} {zeros:32} {u64:0} {u16:392} 00
< 9407
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 50 02 00 41 {order[0..65]} 00
< 6700
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 FF 00 00
< 6D00
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 01 20 00 01
< 6E00
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 20 00 00
< 6A86
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 20 00 01
< 63C3
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 A4 04 00 05 A0 00 00 00 03 00
< 6A82
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 20 00 01 08 {pin:4321}
< 63C2
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 50 02 00 42 {order} 00
< {signature:64} 9000

# A reset and a power cycle take it, too; change and unblocking give none.
> 00 20 00 01 08 {pin:1234}
< 9000
reset
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 80 50 02 00 42 {order} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 80 50 02 00 42 {order} 00
< 6982
> 00 24 00 01 10 {pin:1234} {pin:1234}
< 9000
> 80 50 02 00 42 {order} 00
< 6982
> 00 2C 00 01 10 {pin:12345678} {pin:1234}
< 9000
> 80 50 02 00 42 {order} 00
< 6982

# A series of history entries is one use; anything between ends it, and it is good for nothing else.
> 00 B2 01 1C 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 02 {u32:1} * 9000
> 00 B2 01 1C 00
< 02 {u32:1} * 9000
> 80 50 02 00 42 {order} 00
< 6982
> 00 B2 01 1C 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 02 {u32:1} * 9000
balance 10000
> 00 B2 01 1C 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 02 {u32:1} * 9000
> 00 B2 02 1C 00
< 6A83
> 00 B2 01 1C 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 02 {u32:1} * 9000
> 80 52 01 00 04 {u32:2} 00
< 6982
check status credit_seq=1 pin_tries=3
