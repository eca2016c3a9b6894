# CREDIT: a refund, a load, value from suspense; a repeat changes nothing.

include blank_to_active.story
let load_signature = {signature}

> 80 52 00 00 {len:load} {load} 00
< {load_signature} 9000
make token refund slot=2 amount=700 purpose=1 transaction=00112233445566778899AABBCCDDEEFF
  shop={shop} ack_credit=1 epoch=3
> 80 52 00 00 {len:refund} {refund} 00
< {signature:64} 9000
check credit_record refund_record of=refund
check status balance=10700 debit_seq=0 credit_seq=2 epoch=3 ack_credit=1 pin_free_spent=0
> 00 B2 01 14 00
< {refund_record} 9000
> 00 B2 02 14 00
< 6A83
> 80 52 00 00 {len:load} {load} 00
< 9408

# The same, signed again with the current acknowledgements, epoch and key (purse.md C2b).
make token refund_again like=refund ack_credit=2 epoch=8 s=other
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 80 52 00 00 {len:refund_again} {refund_again} 00
< {signature} 9000
make token refund_old like=refund epoch=0 ack_debit=99
> 80 52 00 00 {len:refund_old} {refund_old} 00
< {signature} 9000
check status balance=10700 credit_seq=2 epoch=3 ack_credit=1

# Another value for a used slot is refused.
make token more like=refund amount=701
> 80 52 00 00 {len:more} {more} 00
< 9408
make token other_credit like=refund credit={zeros:16}
> 80 52 00 00 {len:other_credit} {other_credit} 00
< 9408
make token other_purpose like=refund purpose=3
> 80 52 00 00 {len:other_purpose} {other_purpose} 00
< 9408
make token other_transaction like=refund transaction={zeros:16}
> 80 52 00 00 {len:other_transaction} {other_transaction} 00
< 9408
make token other_authority like=refund authority_hash={zeros:32}
> 80 52 00 00 {len:other_authority} {other_authority} 00
< 9408

make token suspense slot=3 amount=300 purpose=3 epoch=3
> 80 52 00 00 {len:suspense} {suspense} 00
< {signature:64} 9000
check credit_record suspense_record of=suspense
check status balance=11000 credit_seq=3 ack_credit=1
> 00 B2 01 14 00
< {refund_record} 9000
> 00 B2 02 14 00
< {suspense_record} 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 02 {u32:3} {u64:300} {u16:392} {zeros:8} {credit_id:16} {u64:11000} 9000
> 00 B2 02 1C 00
< 02 {u32:2} {u64:700} {u16:392} {shop} {credit_id:16} {u64:10700} 9000
