# Limits: only from P, only the next version, and what they bind.

include blank_to_active.story
> 00 CA 01 03 00
< {u32:0} {u64:100000} {u64:50000} {u64:2000} {u64:5000} 00 9000

make limits first version=1 balance_max=20000 debit_max=3000 pin_floor=3000 pin_free_max=6000
make limits strange like=first key=stranger
> 00 DA 01 03 {len:strange} {strange}
< 9402
make limits forged like=first key=stranger kid=payment
> 00 DA 01 03 {len:forged} {forged}
< 9402
make limits tampered like=first debit_max=9000 signature_of=first
> 00 DA 01 03 {len:tampered} {tampered}
< 9402
make limits for_other like=first card=0102030405060708 version=7
> 00 DA 01 03 {len:for_other} {for_other}
< 9405
make limits skipped like=first version=2
> 00 DA 01 03 {len:skipped} {skipped}
< 940B
make limits same like=first version=0
> 00 DA 01 03 {len:same} {same}
< 940B
make permit no_limits
> 00 DA 01 03 {len:no_limits} {no_limits}
< 6A80
> 00 DA 01 03 03 {first[0..3]}
< 6A80
check status limits_version=0

> 00 DA 01 03 {len:first} {first}
< 9000
> 00 CA 01 03 00
< {u32:1} {u64:20000} {u64:3000} {u64:3000} {u64:6000} 00 9000
check status limits_version=1 balance=10000
> 00 DA 01 03 {len:first} {first}
< 940B

make permit three_thousand seq=1 amount=3000
> 80 54 00 00 {len:three_thousand} {three_thousand} 00
< {signature:64} 9000
check debit_record of=three_thousand
make permit more seq=2 amount=3001
> 80 54 00 00 {len:more} {more} 00
< 940D
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 54 00 00 {len:more} {more} 00
< 940D
> 80 50 00 00 32 {zeros:32} {shop} {u64:3001} {u16:392} 00
< 940D
> 80 50 01 00 2B 02 {zeros:32} {u64:13001} {u16:392} 00
< 940F
> 80 50 01 00 2B 02 {zeros:32} {u64:13000} {u16:392} 00
< {u32:2} {signature:64} 9000
check credit_request slot=2 amount=13000

# balance_max below the balance: nothing more may be asked for, what is there may be spent.
make limits low version=2 balance_max=0 debit_max=18446744073709551615 order_pin=2
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 DA 01 03 {len:low} {low}
< 9000
> 00 CA 01 03 00
< {u32:2} {zeros:8} FFFFFFFFFFFFFFFF {u64:2000} {u64:5000} 02 9000
> 80 50 01 00 2B 02 {zeros:32} {u64:1} {u16:392} 00
< 940F
make token issued slot=2 amount=5
> 80 52 00 00 {len:issued} {issued} 00
< {signature:64} 9000
check credit_record of=issued
check status balance=7005 limits_version=2
