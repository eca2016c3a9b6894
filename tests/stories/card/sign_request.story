# SIGN REQUEST and SIGN CREDIT REQUEST: the card names its own next sequence and stores nothing.

include blank_to_active.story
let invoice = {sha256:card}

> 80 50 00 00 32 {invoice} {shop} {u64:0} {u16:978} 00
< 9406
> 80 50 00 00 32 {invoice} {shop} {u64:0} {u16:392} 00
< 9407
> 80 50 00 00 32 {invoice} {shop} {u64:50001} {u16:392} 00
< 940D
> 80 50 00 00 32 {invoice} {shop} {u64:18446744073709551615} {u16:392} 00
< 940D
> 80 50 00 00 32 {invoice} {shop} {u64:10001} {u16:392} 00
< 940E
> 80 50 00 00 32 {invoice} {shop} {u64:10000} {u16:392} 00
< {u32:1} {signature:64} 9000
check debit_request seq=1 invoice_hash={invoice} amount=10000
> 80 50 00 00 32 {invoice} {zeros:8} {u64:1} {u16:392} 00
< {u32:1} {signature:64} 9000
check debit_request seq=1 invoice_hash={invoice} shop={zeros:8} amount=1
check status balance=10000 debit_seq=0

> 80 50 01 00 2B 04 {invoice} {u64:0} {u16:978} 00
< 6A80
> 80 50 01 00 2B 00 {invoice} {u64:1} {u16:392} 00
< 6A80
> 80 50 01 00 2B 01 {invoice} {u64:0} {u16:978} 00
< 9406
> 80 50 01 00 2B 01 {invoice} {u64:0} {u16:392} 00
< 9407
> 80 50 01 00 2B 01 {invoice} {u64:90001} {u16:392} 00
< 940F
> 80 50 01 00 2B 01 {invoice} {u64:18446744073709551615} {u16:392} 00
< 940F
> 80 50 01 00 2B 01 {invoice} {u64:90000} {u16:392} 00
< {u32:2} {signature:64} 9000
check credit_request slot=2 authority_hash={invoice} amount=90000 purpose=1
> 80 50 01 00 2B 02 {invoice} {u64:1} {u16:392} 00
< {u32:2} {signature:64} 9000
check credit_request slot=2 authority_hash={invoice} amount=1 purpose=2
> 80 50 01 00 2B 03 {invoice} {u64:1} {u16:392} 00
< {u32:2} {signature:64} 9000
check credit_request slot=2 authority_hash={invoice} amount=1 purpose=3
check status balance=10000 debit_seq=0 credit_seq=1

# The next sequence is the next one after a debit, and after a burned slot.
make permit paid seq=1 amount=1000
> 80 54 00 00 {len:paid} {paid} 00
< {signature:64} 9000
check debit_record of=paid
> 80 50 00 00 32 {invoice} {shop} {u64:9001} {u16:392} 00
< 940E
> 80 50 00 00 32 {invoice} {shop} {u64:9000} {u16:392} 00
< {u32:2} {signature:64} 9000
check debit_request seq=2 invoice_hash={invoice} amount=9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 52 01 00 04 {u32:2} 00
< {signature:64} 9000
check burned_slot slot=2
> 80 50 01 00 2B 01 {invoice} {u64:91000} {u16:392} 00
< {u32:3} {signature:64} 9000
check credit_request slot=3 authority_hash={invoice} amount=91000 purpose=1
