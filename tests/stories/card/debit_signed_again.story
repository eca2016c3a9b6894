# What counts is the signed content that concerns value, never the signature (Invariant I).

include blank_to_active.story

make permit first seq=1 amount=1000 epoch=5
> 80 54 00 00 {len:first} {first} 00
< {signature:64} 9000
check debit_record of=first

# Signed once more; in the other form; with later acknowledgements, epoch and expiry; with an epoch
# that would be refused, and acknowledgements that would.
make permit again like=first
> 80 54 00 00 {len:again} {again} 00
< {signature} 9000
make permit other like=first signature_of=first s=other
> 80 54 00 00 {len:other} {other} 00
< {signature} 9000
make permit later like=first ack_credit=1 epoch=9 expiry=1900000000
> 80 54 00 00 {len:later} {later} 00
< {signature} 9000
make permit impossible like=first ack_debit=99 ack_credit=99 epoch=0
> 80 54 00 00 {len:impossible} {impossible} 00
< {signature} 9000
check status balance=9000 debit_seq=1 epoch=5 ack_credit=0

# A card takes either form of a signature in the first place.
make permit second seq=2 amount=500 s=other epoch=5
> 80 54 00 00 {len:second} {second} 00
< {second_signature:64} 9000
check debit_record of=second signature=second_signature

# Anything that concerns value makes it another permit for a used sequence.
make permit dearer like=first amount=1001
> 80 54 00 00 {len:dearer} {dearer} 00
< 9408
make permit other_shop like=first shop=0102030405060708
> 80 54 00 00 {len:other_shop} {other_shop} 00
< 9408
make permit other_invoice like=first invoice_hash={zeros:32}
> 80 54 00 00 {len:other_invoice} {other_invoice} 00
< 9408
make permit other_payment like=first payment={zeros:16}
> 80 54 00 00 {len:other_payment} {other_payment} 00
< 9408

# The older one of two is repeated as well; once acknowledged, neither.
> 80 54 00 00 {len:first} {first} 00
< {signature} 9000
make permit third seq=3 amount=200 ack_debit=1 epoch=5
> 80 54 00 00 {len:third} {third} 00
< {third_signature:64} 9000
check debit_record of=third signature=third_signature
> 80 54 00 00 {len:first} {first} 00
< 9408
> 80 54 00 00 {len:second} {second} 00
< {second_signature} 9000
check status balance=8300 debit_seq=3 ack_debit=1
