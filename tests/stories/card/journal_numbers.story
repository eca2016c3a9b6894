# READ RECORD: number 1 is the oldest record that waits, in each journal for itself.

include blank_to_active.story
> 00 B2 01 14 00
< {load_record} 9000
> 00 B2 00 14 00
< 6A83
> 00 B2 02 14 00
< 6A83
> 00 B2 FF 14 00
< 6A83
> 00 B2 00 0C 00
< 6A83
> 00 B2 01 0C 00
< 6A83

# Seven debits and six credits in turn, each acknowledging all but the last two of its kind.
for n 1..2
make permit p$n seq=$n amount=10
> 80 54 00 00 {len:p$n} {p$n} 00
< {signature:64} 9000
check debit_record d$n of=p$n
end
make token t2 slot=2 amount=10
> 80 52 00 00 {len:t2} {t2} 00
< {signature:64} 9000
check credit_record c2 of=t2
for n 3..7
make permit p$n seq=$n amount=10 ack_debit=$n-2 ack_credit=$n-2
> 80 54 00 00 {len:p$n} {p$n} 00
< {signature:64} 9000
check debit_record d$n of=p$n
make token t$n slot=$n amount=10
> 80 52 00 00 {len:t$n} {t$n} 00
< {signature:64} 9000
check credit_record c$n of=t$n
> 00 B2 01 0C 00
< {d$n-1} 9000
> 00 B2 02 0C 00
< {d$n} 9000
> 00 B2 03 0C 00
< 6A83
> 00 B2 01 14 00
< {c$n-1} 9000
> 00 B2 02 14 00
< {c$n} 9000
> 00 B2 03 14 00
< 6A83
end
check status balance=9990 debit_seq=7 credit_seq=7 ack_debit=5 ack_credit=5

# Reading needs no PIN and no Le of 00; a longer record than Le is never promised.
> 00 B2 01 0C F0
< {d6} 9000
> 00 B2 01 0C EF
< 6700
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 B2 02 0C 00
< {d7} 9000
