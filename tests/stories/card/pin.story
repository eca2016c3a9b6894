# PIN: three tries, change, unblocking.

include blank_to_active.story

> 00 20 00 01
< 63C3
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 20 00 01
< 9000

# A malformed PIN costs no try, but takes the permission.
> 00 20 00 01 08 3132333435363738
< 63C2
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 20 00 01 08 31323334FFFFFF00
< 6A80
> 00 20 00 01
< 63C3
> 00 20 00 01 08 FFFFFFFFFFFFFFFF
< 6A80
> 00 20 00 01 08 {pin:12345}
< 63C2
> 00 20 00 01
< 63C2
check status pin_tries=2 puk_tries=10
> 00 20 00 01 08 {pin:1234}
< 9000
check status pin_tries=3

# Wrong three times, then blocked, for the right one too, for change too, after power-up too.
> 00 20 00 01 08 {pin:0000}
< 63C2
> 00 20 00 01 08 {pin:0001}
< 63C1
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 20 00 01
< 63C1
> 00 20 00 01 08 {pin:0002}
< 63C0
> 00 20 00 01
< 63C0
> 00 20 00 01 08 {pin:1234}
< 6983
> 00 24 00 01 10 {pin:1234} {pin:4321}
< 6983
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 20 00 01 08 {pin:1234}
< 6983
check status life_cycle=5 pin_tries=0 puk_tries=10

# A wrong PUK costs one of its own tries for good; the right one gives three tries for the PIN.
> 00 2C 00 01 10 {pin:87654321} {pin:2468}
< 63C9
> 00 2C 00 01 10 {pin:1234} {pin:2468}
< 63C8
> 00 2C 00 01 10 {pin:12345678} 3132FFFFFFFFFFFF
< 6A80
check status pin_tries=0 puk_tries=8
> 00 2C 00 01 10 {pin:12345678} {pin:2468}
< 9000
check status pin_tries=3 puk_tries=8
> 00 20 00 01
< 63C3
> 00 20 00 01 08 {pin:1234}
< 63C2
> 00 20 00 01 08 {pin:2468}
< 9000

# Change: the wrong old one costs a try, the right one gives them back but no permission.
> 00 24 00 01 10 {pin:1234} {pin:13579}
< 63C2
> 00 24 00 01 10 {pin:2468} 31323334FF000000
< 6A80
> 00 24 00 01 10 {pin:2468} {pin:13579}
< 9000
> 00 20 00 01
< 63C3
> 00 20 00 01 08 {pin:2468}
< 63C2
> 00 20 00 01 08 {pin:135790}
< 63C1
> 00 20 00 01 08 {pin:13579}
< 9000
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 20 00 01 08 {pin:13579}
< 9000

# The PUK also sets a new PIN where the old one is not blocked.
> 00 2C 00 01 10 {pin:12345678} {pin:87654321}
< 9000
> 00 20 00 01 08 {pin:87654321}
< 9000
check status pin_tries=3 puk_tries=8 balance=10000
