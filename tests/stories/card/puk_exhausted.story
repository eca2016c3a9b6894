# Ten wrong PUKs block the card for good. Its journals, status and certificate stay readable.

include blank_to_active.story
make permit last seq=1 amount=500
> 80 54 00 00 {len:last} {last} 00
< {signature:64} 9000
check debit_record last_record of=last

# The right one in between gives nothing back.
> 00 2C 00 01 10 {pin:00000000} {pin:1111}
< 63C9
> 00 2C 00 01 10 {pin:00000001} {pin:1111}
< 63C8
> 00 2C 00 01 10 {pin:00000002} {pin:1111}
< 63C7
> 00 2C 00 01 10 {pin:00000003} {pin:1111}
< 63C6
> 00 2C 00 01 10 {pin:00000004} {pin:1111}
< 63C5
> 00 2C 00 01 10 {pin:00000005} {pin:1111}
< 63C4
> 00 2C 00 01 10 {pin:00000006} {pin:1111}
< 63C3
> 00 2C 00 01 10 {pin:00000007} {pin:1111}
< 63C2
> 00 2C 00 01 10 {pin:00000008} {pin:1111}
< 63C1
> 00 2C 00 01 10 {pin:12345678} {pin:1234}
< 9000
check status life_cycle=5 puk_tries=1 pin_tries=3
> 00 2C 00 01 10 {pin:00000009} {pin:1111}
< 63C0

include parts/blocked.story
power_cycle
> 80 5C 00 00 00
< 6985
> 00 A4 04 0C {len:aid} {aid}
< 9000
include parts/blocked.story
