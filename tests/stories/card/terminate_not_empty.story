# A card with value is not terminated. Its journals may still hold records: they stay readable.

include blank_to_active.story

> 00 20 00 01 08 {pin:1234}
< 9000
> 00 E6 00 00
< 9411
make permit all seq=1 amount=10000 ack_credit=1
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 54 00 00 {len:all} {all} 00
< {signature:64} 9000
check debit_record of=all

make token little slot=2 amount=1 ack_debit=1
> 80 52 00 00 {len:little} {little} 00
< {signature:64} 9000
check credit_record of=little
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 E6 00 00
< 9411
make permit rest seq=2 amount=1 ack_debit=1 ack_credit=2
> 80 54 00 00 {len:rest} {rest} 00
< {signature:64} 9000
check debit_record rest_record of=rest
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 E6 00 00
< 9000
check status life_cycle=12 balance=0 debit_seq=2 credit_seq=2 ack_debit=1 ack_credit=2
> 00 B2 01 0C 00
< {rest_record} 9000
> 00 B2 02 0C 00
< 6A83
