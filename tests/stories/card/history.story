# The history keeps the last 32 transfers of both kinds.

include blank_to_active.story

for n 1..32
make permit p$n seq=$n amount=$n ack_debit=$n-1
> 80 54 00 00 {len:p$n} {p$n} 00
< {signature:64} 9000
check debit_record of=p$n
end
check status balance=9472 debit_seq=32 ack_debit=31 pin_free_spent=528

# 33 transfers: the load has just fallen out, the first debit is the oldest.
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 01 {u32:32} {u64:32} {u16:392} {shop} {payment_id:16} {u64:9472} 9000
> 00 B2 02 1C 00
< 01 {u32:31} {u64:31} {u16:392} {shop} {payment_id:16} {u64:9504} 9000
> 00 B2 1F 1C 00
< 01 {u32:2} {u64:2} {u16:392} {shop} {payment_id:16} {u64:9997} 9000
> 00 B2 20 1C 00
< 01 {u32:1} {u64:1} {u16:392} {shop} {payment_id:16} {u64:9999} 9000
> 00 B2 21 1C 00
< 6A83
> 00 B2 20 1C 00
< 6982

# A credit and a burned slot join in, after a power cycle.
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
make token refund slot=2 amount=500 shop={shop} purpose=1
> 80 52 00 00 {len:refund} {refund} 00
< {signature:64} 9000
check credit_record of=refund
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 52 01 00 04 {u32:3} 00
< {signature:64} 9000
check burned_slot slot=3
check status balance=9972 debit_seq=32 credit_seq=3
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 03 {u32:3} {u64:0} {u16:392} {zeros:8} {zeros:16} {u64:9972} 9000
> 00 B2 02 1C 00
< 02 {u32:2} {u64:500} {u16:392} {shop} {credit_id:16} {u64:9972} 9000
> 00 B2 03 1C 00
< 01 {u32:32} * 9000
> 00 B2 20 1C 00
< 01 {u32:3} {u64:3} * 9000
> 00 B2 00 1C 00
< 6A83
