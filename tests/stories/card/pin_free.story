# Debits without PIN: up to 2,000 each and 5,000 in all, until one under the PIN.

include blank_to_active.story

make permit over_floor seq=1 amount=2001
> 80 54 00 00 {len:over_floor} {over_floor} 00
< 6982
check status balance=10000 debit_seq=0 pin_free_spent=0
make permit at_floor seq=1 amount=2000
> 80 54 00 00 {len:at_floor} {at_floor} 00
< {signature:64} 9000
check debit_record of=at_floor
check status balance=8000 debit_seq=1 pin_free_spent=2000

# A refused one and a repeated one add nothing.
make permit refused seq=1 amount=100
> 80 54 00 00 {len:refused} {refused} 00
< 9408
> 80 54 00 00 {len:at_floor} {at_floor} 00
< {signature} 9000
check status balance=8000 pin_free_spent=2000

make permit second seq=2 amount=2000 ack_debit=1
> 80 54 00 00 {len:second} {second} 00
< {signature:64} 9000
check debit_record of=second
make permit over_cap seq=3 amount=1001 ack_debit=2
> 80 54 00 00 {len:over_cap} {over_cap} 00
< 6982
check status balance=6000 debit_seq=2 ack_debit=1 pin_free_spent=4000
make permit at_cap seq=3 amount=1000 ack_debit=2
> 80 54 00 00 {len:at_cap} {at_cap} 00
< {signature:64} 9000
check debit_record of=at_cap
check status balance=5000 debit_seq=3 ack_debit=2 pin_free_spent=5000
make permit one_more seq=4 amount=1 ack_debit=3
> 80 54 00 00 {len:one_more} {one_more} 00
< 6982
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 80 54 00 00 {len:one_more} {one_more} 00
< 6982

# Value that comes does not make it grow again; neither does verifying without paying.
make token more slot=2 amount=1000 ack_credit=1
> 80 52 00 00 {len:more} {more} 00
< {signature:64} 9000
check credit_record of=more
check status balance=6000 pin_free_spent=5000
> 00 20 00 01 08 {pin:1234}
< 9000
balance 6000
> 80 54 00 00 {len:one_more} {one_more} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 54 00 00 {len:one_more} {one_more} 00
< {signature:64} 9000
check debit_record of=one_more
check status balance=5999 debit_seq=4 pin_free_spent=0
make permit large seq=5 amount=4000 ack_debit=4
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 54 00 00 {len:large} {large} 00
< {signature:64} 9000
check debit_record of=large
check status balance=1999 debit_seq=5 pin_free_spent=0

# A cap below the floor counts, and zero means every time; the sum cannot overflow.
make limits tight version=1 pin_floor=18446744073709551615 pin_free_max=0
> 00 DA 01 03 {len:tight} {tight}
< 9000
make permit smallest seq=6 amount=1 ack_debit=5
> 80 54 00 00 {len:smallest} {smallest} 00
< 6982
make limits free version=2 like=tight pin_free_max=18446744073709551615
> 00 DA 01 03 {len:free} {free}
< 9000
> 80 54 00 00 {len:smallest} {smallest} 00
< {signature:64} 9000
check debit_record of=smallest
check status balance=1998 debit_seq=6 pin_free_spent=1 limits_version=2
