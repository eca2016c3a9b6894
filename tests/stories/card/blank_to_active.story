# From the blank card to one in use with a balance of 10,000 yen.

include certified.story

make payment_certificate payment_certificate generation=1
> 00 DA 01 02 {len:payment_certificate} {payment_certificate}
< 9000
check status life_cycle=5 balance=0 debit_seq=0 credit_seq=0 epoch=0 generation=1
  pin_tries=3 puk_tries=10 limits_version=0 ack_debit=0 ack_credit=0 pin_free_spent=0

make token load slot=1 amount=10000
> 80 52 00 00 {len:load} {load} 00
< {signature:64} 9000
check credit_record load_record of=load
check status balance=10000 debit_seq=0 credit_seq=1 epoch=1
