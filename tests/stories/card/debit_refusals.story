# Every refusal of DEBIT; where several apply, the earlier one in this order.

include blank_to_active.story

# 6A80: not a COSE_Sign1, cut off, something behind it, another record, a longer head than needed.
> 80 54 00 00 01 D2 00
< 6A80
make permit good seq=1 amount=1000
> 80 54 00 00 28 {good[0..40]} 00
< 6A80
make token token slot=2
> 80 54 00 00 {len:token} {token} 00
< 6A80
make limits limits
> 80 54 00 00 {len:limits} {limits} 00
< 6A80
> 80 54 00 00 {len:payment_certificate} {payment_certificate} 00
< 6A80
> 80 54 00 00 {len:load_record} {load_record} 00
< 6A80
let longer = {good} 00
> 80 54 00 00 {len:longer} {longer} 00
< 6A80
let untagged = {good[1..100]}
> 80 54 00 00 {len:untagged} {untagged} 00
< 6A80
> 80 54 00 00 F1 {zeros:241} 00
< 6700
> 80 54 00 00 {len:good} {good}
< 6700

# 9402: another key; another key in the name of P's; P's key in another name; content changed after
# signing; no signature at all.
make permit strange like=good key=stranger
> 80 54 00 00 {len:strange} {strange} 00
< 9402
make permit forged like=good key=stranger kid=payment
> 80 54 00 00 {len:forged} {forged} 00
< 9402
make permit misnamed like=good kid=stranger
> 80 54 00 00 {len:misnamed} {misnamed} 00
< 9402
make permit by_root like=good key=root
> 80 54 00 00 {len:by_root} {by_root} 00
< 9402
make permit tampered like=good amount=1 signature_of=good
> 80 54 00 00 {len:tampered} {tampered} 00
< 9402
make permit unsigned like=good signature={zeros:64}
> 80 54 00 00 {len:unsigned} {unsigned} 00
< 9402
make permit forged_for_other like=good card=0102030405060708 key=stranger kid=payment
> 80 54 00 00 {len:forged_for_other} {forged_for_other} 00
< 9402

# 9405, 9406, 9407, 9408, 9409, 940A, 940D, 940E, each with the next one wrong as well.
make permit p5 seq=9 card=0102030405060708 currency=978 amount=0
> 80 54 00 00 {len:p5} {p5} 00
< 9405
make permit p6 seq=9 currency=978 amount=0
> 80 54 00 00 {len:p6} {p6} 00
< 9406
make permit p7 seq=9 amount=0 epoch=0
> 80 54 00 00 {len:p7} {p7} 00
< 9407
make permit p8 seq=2 epoch=0 ack_debit=9
> 80 54 00 00 {len:p8} {p8} 00
< 9408
make permit p8_zero seq=0 epoch=0
> 80 54 00 00 {len:p8_zero} {p8_zero} 00
< 9408
make permit p8_last seq=4294967295
> 80 54 00 00 {len:p8_last} {p8_last} 00
< 9408
make permit p9 seq=1 epoch=0 ack_debit=1 amount=50001
> 80 54 00 00 {len:p9} {p9} 00
< 9409
make permit pa seq=1 ack_debit=1 amount=50001
> 80 54 00 00 {len:pa} {pa} 00
< 940A
make permit pa_credit seq=1 ack_credit=2 amount=50001
> 80 54 00 00 {len:pa_credit} {pa_credit} 00
< 940A
make permit pd seq=1 amount=50001
> 80 54 00 00 {len:pd} {pd} 00
< 940D
make permit pe seq=1 amount=10001
> 80 54 00 00 {len:pe} {pe} 00
< 940E
make permit needs_pin seq=1 amount=10000
> 80 54 00 00 {len:needs_pin} {needs_pin} 00
< 6982
check status balance=10000 debit_seq=0 credit_seq=1 epoch=1 ack_debit=0 ack_credit=0
  pin_free_spent=0
> 00 B2 01 0C 00
< 6A83

# None of them took anything with it: the good one is still good.
> 80 54 00 00 {len:good} {good} 00
< {signature:64} 9000
check debit_record of=good
check status balance=9000 debit_seq=1

# Acknowledging the very debit that is being made is too early.
make permit too_early seq=2 ack_debit=2
> 80 54 00 00 {len:too_early} {too_early} 00
< 940A
# A lower acknowledgement than the stored one is ignored.
make permit acks seq=2 ack_debit=1 ack_credit=1 amount=1
> 80 54 00 00 {len:acks} {acks} 00
< {signature:64} 9000
check debit_record of=acks
make permit lower seq=3 ack_debit=0 ack_credit=0 amount=1
> 80 54 00 00 {len:lower} {lower} 00
< {signature:64} 9000
check debit_record of=lower
check status balance=8998 debit_seq=3 ack_debit=1 ack_credit=1
