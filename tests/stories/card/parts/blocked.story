# What a blocked card still does (included by puk_exhausted.story).

> 00 A4 04 00 {len:aid} {aid} 00
< 6F 27 84 08 {aid} 8A 01 04 A5 18 80 02 01 00
    81 08 {issuer} 82 02 {u16:392} 83 04 {u32:1} 9000
check status life_cycle=4 balance=9500 debit_seq=1 credit_seq=1 puk_tries=0
balance 9500
> 00 B2 01 0C 00
< {last_record} 9000
> 00 B2 01 14 00
< {load_record} 9000
> 00 B0 00 00 00
< {certificate[0..200]} 9000
> 00 47 81 00 00
< 7F49 43 86 41 04 {card_key} 9000
> 00 CA 01 03 00
< {u32:0} {u64:100000} {u64:50000} {u64:2000} {u64:5000} 00 9000

# And what it does not do any more.
> 00 2C 00 01 10 {pin:12345678} {pin:1234}
< 6985
> 00 20 00 01
< 6985
> 00 20 00 01 08 {pin:1234}
< 6985
> 00 24 00 01 10 {pin:1234} {pin:4321}
< 6985
> 80 54 00 00 {len:last} {last} 00
< 6985
> 80 52 00 00 {len:load} {load} 00
< 6985
> 80 52 01 00 04 {u32:2} 00
< 6985
> 80 50 00 00 32 {zeros:32} {shop} {u64:1} {u16:392} 00
< 6985
> 80 50 01 00 2B 02 {zeros:32} {u64:1} {u16:392} 00
< 6985
> 80 50 02 00 42 {zeros:16} {shop} {zeros:32} {u64:1} {u16:392} 00
< 6985
> 80 5A 01 00 10 {zeros:16} 00
< 6985
> 00 D6 00 00 01 00
< 6985
> 00 DA 01 04 22 {u16:450} {sha256:certificate}
< 6985
> 00 DA 01 02 {len:payment_certificate} {payment_certificate}
< 6985
make limits raised version=1
> 00 DA 01 03 {len:raised} {raised}
< 6985
> 00 B2 01 1C 00
< 6985
> 00 E6 00 00
< 6985
> 00 47 80 00 00
< 6985
