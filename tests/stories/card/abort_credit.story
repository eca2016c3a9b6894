# ABORT CREDIT burns exactly the next slot; no token for it is ever taken.

include blank_to_active.story

make token lost slot=2 amount=500
> 80 52 01 00 04 {u32:2} 00
< 6982
> 80 52 01 00 04 {u32:1} 00
< 9408
> 80 52 01 00 04 {u32:3} 00
< 9408
> 80 52 01 00 04 {u32:0} 00
< 9408
> 80 52 01 00 03 000002 00
< 6700
check status credit_seq=1

> 00 20 00 01 08 {pin:1234}
< 9000
> 80 52 01 00 04 {u32:2} 00
< {signature:64} 9000
check burned_slot burned slot=2
check status balance=10000 credit_seq=2 debit_seq=0 epoch=1 pin_tries=3
> 00 B2 01 14 00
< {load_record} 9000
> 00 B2 02 14 00
< {burned} 9000

# A repeat gives the same record without PIN; the token comes too late, in whatever form.
> 80 52 01 00 04 {u32:2} 00
< {signature} 9000
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 80 52 01 00 04 {u32:2} 00
< {signature} 9000
> 80 52 00 00 {len:lost} {lost} 00
< 9408
make token lost_again like=lost epoch=9
> 80 52 00 00 {len:lost_again} {lost_again} 00
< 9408
# A slot that took value is not burned afterwards.
> 80 52 01 00 04 {u32:1} 00
< 9408
check status balance=10000 credit_seq=2 epoch=1

# The value comes with the next slot; then the burned one is acknowledged and forgotten.
make token again like=lost slot=3
> 80 52 00 00 {len:again} {again} 00
< {signature:64} 9000
check credit_record of=again
check status balance=10500 credit_seq=3
make permit acks seq=1 amount=10 ack_credit=2
> 80 54 00 00 {len:acks} {acks} 00
< {signature:64} 9000
check debit_record of=acks
> 80 52 01 00 04 {u32:2} 00
< 9408
check status balance=10490 credit_seq=3 ack_credit=2

# Burned slots are kept like credits: four of them fill the journal.
for n 4..6
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 52 01 00 04 {u32:$n} 00
< {signature:64} 9000
check burned_slot slot=$n
end
> 80 52 01 00 04 {u32:7} 00
< 9410
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 03 {u32:6} {u64:0} {u16:392} {zeros:8} {zeros:16} {u64:10490} 9000
check status balance=10490 credit_seq=6 ack_credit=2
