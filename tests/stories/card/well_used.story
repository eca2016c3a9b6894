# A card on which nothing has its first value any more. Power cuts begin here.

include blank_to_active.story

make limits limits version=1 balance_max=1000000 debit_max=40000 pin_floor=2500 pin_free_max=6000
  order_pin=1
> 00 DA 01 03 {len:limits} {limits}
< 9000
make payment_certificate fifth generation=5
> 00 DA 01 02 {len:fifth} {fifth}
< 9000
make file renewed size=333
> 00 D6 00 00 C8 {renewed[0..200]}
< 9000
> 00 D6 00 C8 85 {renewed[200..333]}
< 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 DA 01 04 22 {u16:333} {sha256:renewed}
< 9000
> 00 24 00 01 10 {pin:1234} {pin:4711}
< 9000
> 00 2C 00 01 10 {pin:99999999} {pin:4711}
< 63C9

make token first slot=2 amount=33000 epoch=8 ack_credit=1
> 80 52 00 00 {len:first} {first} 00
< {signature:64} 9000
check credit_record of=first
for n 1..34
make permit p$n seq=$n amount=11 epoch=8 ack_debit=$n-1 ack_credit=1
> 80 54 00 00 {len:p$n} {p$n} 00
< {signature:64} 9000
check debit_record of=p$n
end

# Both journals are full in the end: four debits and four slots wait.
> 00 20 00 01 08 {pin:4711}
< 9000
> 80 52 01 00 04 {u32:3} 00
< {signature:64} 9000
check burned_slot of_slot_3 slot=3
make permit p35 seq=35 amount=11 epoch=8
> 80 54 00 00 {len:p35} {p35} 00
< {signature:64} 9000
check debit_record of=p35
make permit p36 seq=36 amount=700 epoch=9
> 00 20 00 01 08 {pin:4711}
< 9000
> 80 54 00 00 {len:p36} {p36} 00
< {signature:64} 9000
check debit_record of=p36
make permit p37 seq=37 amount=800 epoch=9 ack_credit=2
> 80 54 00 00 {len:p37} {p37} 00
< {signature:64} 9000
check debit_record of=p37
for n 4..6
make token t$n slot=$n amount=100$n epoch=9
> 80 52 00 00 {len:t$n} {t$n} 00
< {signature:64} 9000
check credit_record of=t$n
end
> 00 20 00 01 08 {pin:0000}
< 63C2
check status life_cycle=5 pin_tries=2 puk_tries=9 generation=5 limits_version=1
  ack_debit=33 ack_credit=2 pin_free_spent=800 balance=44130 debit_seq=37 credit_seq=6 epoch=9

# What could come next.
make permit next_permit seq=38 amount=10 epoch=9 ack_debit=34
make token next_token slot=7 amount=10 epoch=9 ack_credit=3
