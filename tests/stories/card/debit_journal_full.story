# Four debits wait for acknowledgement; the fifth has to bring one (Invariant J).

include blank_to_active.story

for n 1..4
make permit p$n seq=$n amount=100
> 80 54 00 00 {len:p$n} {p$n} 00
< {signature:64} 9000
check debit_record r$n of=p$n
end
check status balance=9600 debit_seq=4 ack_debit=0
for n 1..4
> 00 B2 0$n 0C 00
< {r$n} 9000
end
> 00 B2 05 0C 00
< 6A83

make permit full seq=5 amount=100
> 80 54 00 00 {len:full} {full} 00
< 9410
# Full comes before the PIN, also when it is verified.
make permit full_large seq=5 amount=3000
> 80 54 00 00 {len:full_large} {full_large} 00
< 9410
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 54 00 00 {len:full_large} {full_large} 00
< 9410
# Acknowledged credits make no room for debits.
make permit full_still seq=5 amount=100 ack_credit=1
> 80 54 00 00 {len:full_still} {full_still} 00
< 9410
check status balance=9600 debit_seq=4 ack_debit=0 ack_credit=0

# Nothing was overwritten: all four are there and are repeated.
for n 1..4
> 00 B2 0$n 0C 00
< {r$n} 9000
make permit again$n like=p$n
> 80 54 00 00 {len:again$n} {again$n} 00
< {again:64} 9000
check debit_record same$n of=p$n signature=again
end

# A token brings acknowledgements as well; the freed place is judged after them.
make token refund slot=2 amount=50 ack_debit=1 purpose=1
> 80 52 00 00 {len:refund} {refund} 00
< {signature:64} 9000
check credit_record of=refund
> 80 54 00 00 {len:full} {full} 00
< {signature:64} 9000
check debit_record r5 of=full
make permit six seq=6 amount=100
> 80 54 00 00 {len:six} {six} 00
< 9410
make permit six_acked like=six ack_debit=5
> 80 54 00 00 {len:six_acked} {six_acked} 00
< {signature:64} 9000
check debit_record r6 of=six_acked
> 00 B2 01 0C 00
< {r6} 9000
> 00 B2 02 0C 00
< 6A83
check status balance=9450 debit_seq=6 credit_seq=2 ack_debit=5 ack_credit=0
