# DEBIT: what it leaves behind, and that a repeat changes nothing.

include blank_to_active.story

make permit meal seq=1 amount=1000
> 80 54 00 00 {len:meal} {meal} 00
< {signature:64} 9000
check debit_record meal_record of=meal
let meal_signature = {signature}
check status balance=9000 debit_seq=1 credit_seq=1 epoch=1 ack_debit=0 ack_credit=0
  pin_free_spent=1000
> 00 B2 01 0C 00
< {meal_record} 9000
> 00 B2 02 0C 00
< 6A83
> 00 B2 01 14 00
< {load_record} 9000

# The same permit again: the same answer, without PIN, after power-up too, and under a verified PIN.
> 80 54 00 00 {len:meal} {meal} 00
< {meal_signature} 9000
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 80 54 00 00 {len:meal} {meal} 00
< {meal_signature} 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 54 00 00 {len:meal} {meal} 00
< {meal_signature} 9000
check status balance=9000 debit_seq=1 pin_free_spent=1000

# A large one under the PIN, which also takes the acknowledgements and a higher epoch.
make permit bicycle seq=2 amount=8999 ack_debit=1 ack_credit=1 epoch=7
  shop=0102030405060708 expiry=18446744073709551615
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 54 00 00 {len:bicycle} {bicycle} 00
< {signature:64} 9000
check debit_record bicycle_record of=bicycle
check status balance=1 debit_seq=2 epoch=7 ack_debit=1 ack_credit=1 pin_free_spent=0
> 00 B2 01 0C 00
< {bicycle_record} 9000
> 00 B2 02 0C 00
< 6A83
> 00 B2 01 14 00
< 6A83

# The last yen.
make permit sweet seq=3 amount=1 epoch=7
> 80 54 00 00 {len:sweet} {sweet} 00
< {signature:64} 9000
check debit_record sweet_record of=sweet
check status balance=0 debit_seq=3 ack_debit=1 ack_credit=1
> 00 B2 01 0C 00
< {bicycle_record} 9000
> 00 B2 02 0C 00
< {sweet_record} 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 01 {u32:3} {u64:1} {u16:392} {shop} {payment_id:16} {u64:0} 9000
> 00 B2 02 1C 00
< 01 {u32:2} {u64:8999} {u16:392} 0102030405060708 {payment_id:16} {u64:1} 9000
> 00 B2 03 1C 00
< 01 {u32:1} {u64:1000} {u16:392} {shop} {payment_id:16} {u64:9000} 9000
> 00 B2 04 1C 00
< 02 {u32:1} {u64:10000} {u16:392} {zeros:8} {credit_id:16} {u64:10000} 9000
> 00 B2 05 1C 00
< 6A83
