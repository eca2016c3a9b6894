# Every refusal of CREDIT; where several apply, the earlier one in this order.

include blank_to_active.story

> 80 52 00 00 01 D2 00
< 6A80
make permit permit seq=1
> 80 52 00 00 {len:permit} {permit} 00
< 6A80
make token good slot=2 amount=100
let cut = {good[0..100]}
> 80 52 00 00 {len:cut} {cut} 00
< 6A80
let longer = {good} 00
> 80 52 00 00 {len:longer} {longer} 00
< 6A80

make token strange like=good key=stranger
> 80 52 00 00 {len:strange} {strange} 00
< 9402
make token forged like=good key=stranger kid=payment
> 80 52 00 00 {len:forged} {forged} 00
< 9402
make token misnamed like=good kid=payment2
> 80 52 00 00 {len:misnamed} {misnamed} 00
< 9402
make token tampered like=good amount=10000 signature_of=good
> 80 52 00 00 {len:tampered} {tampered} 00
< 9402
make token unsigned like=good signature={zeros:64}
> 80 52 00 00 {len:unsigned} {unsigned} 00
< 9402

make token t5 slot=9 card=0102030405060708 currency=978 amount=0
> 80 52 00 00 {len:t5} {t5} 00
< 9405
make token t6 slot=9 currency=978 amount=0
> 80 52 00 00 {len:t6} {t6} 00
< 9406
make token t7 slot=9 amount=0 epoch=0
> 80 52 00 00 {len:t7} {t7} 00
< 9407
make token t8 slot=3 epoch=0
> 80 52 00 00 {len:t8} {t8} 00
< 9408
make token t8_zero slot=0
> 80 52 00 00 {len:t8_zero} {t8_zero} 00
< 9408
make token t9 slot=2 epoch=0 ack_credit=2
> 80 52 00 00 {len:t9} {t9} 00
< 9409
make token ta slot=2 ack_credit=2 amount=18446744073709551615
> 80 52 00 00 {len:ta} {ta} 00
< 940A
make token ta_debit slot=2 ack_debit=1 amount=18446744073709551615
> 80 52 00 00 {len:ta_debit} {ta_debit} 00
< 940A
make token tf slot=2 amount=18446744073709541616
> 80 52 00 00 {len:tf} {tf} 00
< 940F
check status balance=10000 credit_seq=1 epoch=1 ack_credit=0

# A token that P has issued is taken above balance_max, up to the last value that can be written.
make token up_to_the_brim slot=2 amount=18446744073709541615
> 80 52 00 00 {len:up_to_the_brim} {up_to_the_brim} 00
< {signature:64} 9000
check credit_record of=up_to_the_brim
check status balance=18446744073709551615 credit_seq=2
> 80 50 01 00 2B 02 {zeros:32} {u64:1} {u16:392} 00
< 940F
make token one_more slot=3 amount=1
> 80 52 00 00 {len:one_more} {one_more} 00
< 940F
make permit some seq=1 amount=2000
> 80 54 00 00 {len:some} {some} 00
< {signature:64} 9000
check debit_record of=some

# Four wait; the fifth has to bring an acknowledgement, for credits.
make token third slot=3 amount=1
> 80 52 00 00 {len:third} {third} 00
< {signature:64} 9000
check credit_record of=third
make token fourth slot=4 amount=1
> 80 52 00 00 {len:fourth} {fourth} 00
< {signature:64} 9000
check credit_record of=fourth
make token fifth slot=5 amount=1 ack_debit=1
> 80 52 00 00 {len:fifth} {fifth} 00
< 9410
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 52 01 00 04 {u32:5} 00
< 9410
check status credit_seq=4 ack_credit=0 ack_debit=0
make token fifth_acked like=fifth ack_credit=1
> 80 52 00 00 {len:fifth_acked} {fifth_acked} 00
< {signature:64} 9000
check credit_record of=fifth_acked
check status balance=18446744073709549618 credit_seq=5 ack_credit=1 ack_debit=1
