# SIGN ORDER, and when the issuer wants the PIN for it.

include blank_to_active.story
let request = 00112233445566778899AABBCCDDEEFF
let small = {request} {shop} {sha256:aid} {u64:2000} {u16:392}
let large = {request} {shop} {sha256:aid} {u64:2001} {u16:392}

# Refusals: currency before amount before PIN.
> 80 50 02 00 42 {request} {shop} {sha256:aid} {u64:0} {u16:978} 00
< 9406
> 80 50 02 00 42 {request} {shop} {sha256:aid} {u64:0} {u16:392} 00
< 9407

# Never (0): more than the balance and the limits is fine, nothing moves.
> 80 50 02 00 42 {large} 00
< {signature:64} 9000
check order request={request} request_hash={sha256:aid} amount=2001
> 80 50 02 00 42 {request} {shop} {sha256:aid} {u64:99999999} {u16:392} 00
< {signature:64} 9000
check order request={request} request_hash={sha256:aid} amount=99999999

# Over the floor (1).
make limits over_floor version=1 order_pin=1
> 00 DA 01 03 {len:over_floor} {over_floor}
< 9000
> 80 50 02 00 42 {small} 00
< {signature:64} 9000
check order request={request} request_hash={sha256:aid} amount=2000
> 80 50 02 00 42 {large} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 50 02 00 42 {large} 00
< {signature:64} 9000
check order request={request} request_hash={sha256:aid} amount=2001
> 80 50 02 00 42 {large} 00
< 6982

# Always (2).
make limits always version=2 order_pin=2
> 00 DA 01 03 {len:always} {always}
< 9000
> 80 50 02 00 42 {small} 00
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 80 50 02 00 42 {small} 00
< {signature:64} 9000
check order request={request} request_hash={sha256:aid} amount=2000
check status balance=10000 debit_seq=0 pin_free_spent=0 limits_version=2
