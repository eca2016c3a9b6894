# TERMINATE DF: only under the PIN, and for good. What can be read stays readable.

include certified.story
make payment_certificate payment_certificate generation=1
> 00 DA 01 02 {len:payment_certificate} {payment_certificate}
< 9000

> 00 E6 00 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
balance 0
> 00 E6 00 00
< 6982
> 00 E6 00 00 00
< 6700
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 E6 00 00
< 9000

include parts/terminated.story
power_cycle
> 80 5C 00 00 00
< 6985
include parts/terminated.story
