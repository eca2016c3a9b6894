# Whose key may sign permits and tokens: the issuer's payment server, certified by the card root,
# and never a lower generation again.

include certified.story

# Without any key nothing of P is taken, however well it is signed.
make permit early
> 80 54 00 00 {len:early} {early} 00
< 9401
make token early_token
> 80 52 00 00 {len:early_token} {early_token} 00
< 9401
make limits early_limits
> 00 DA 01 03 {len:early_limits} {early_limits}
< 9401

make payment_certificate foreign issuer=0102030405060708
> 00 DA 01 02 {len:foreign} {foreign}
< 9403
make payment_certificate strange key=stranger
> 00 DA 01 02 {len:strange} {strange}
< 9402
make payment_certificate forged key=stranger kid=root
> 00 DA 01 02 {len:forged} {forged}
< 9402
make payment_certificate self_made key=payment
> 00 DA 01 02 {len:self_made} {self_made}
< 9402
make payment_certificate misnamed kid=stranger
> 00 DA 01 02 {len:misnamed} {misnamed}
< 9402
make payment_certificate other_issuer_forged issuer=0102030405060708 key=stranger
> 00 DA 01 02 {len:other_issuer_forged} {other_issuer_forged}
< 9402
make payment_certificate unsigned signature={zeros:64}
> 00 DA 01 02 {len:unsigned} {unsigned}
< 9402
make payment_certificate nothing generation=0
> 00 DA 01 02 {len:nothing} {nothing}
< 9404
make payment_certificate beside public_key={zeros:64}
> 00 DA 01 02 {len:beside} {beside}
< 6A80
# A limits record is no certificate, and is not even as long.
> 00 DA 01 02 {len:early_limits} {early_limits}
< 6700
make payment_certificate third generation=3
> 00 DA 01 02 {len:third} 00 {third[1..188]}
< 6A80
> 00 DA 01 02 BB {third[0..187]}
< 6700
check status generation=0

> 00 DA 01 02 {len:third} {third}
< 9000
check status generation=3

# The same again changes nothing; re-signed, with the other form of the signature, neither.
> 00 DA 01 02 {len:third} {third}
< 9000
make payment_certificate third_again generation=3
> 00 DA 01 02 {len:third_again} {third_again}
< 9000
make payment_certificate third_other generation=3 s=other
> 00 DA 01 02 {len:third_other} {third_other}
< 9000
# The signature of one certificate is none of another.
make payment_certificate fifth_stolen generation=5 signature_of=third
> 00 DA 01 02 {len:fifth_stolen} {fifth_stolen}
< 9402

make payment_certificate second generation=2
> 00 DA 01 02 {len:second} {second}
< 9404
make payment_certificate third_for_other generation=3 public_key={payment2}
> 00 DA 01 02 {len:third_for_other} {third_for_other}
< 9404
check status generation=3

make token load slot=1 amount=10000
> 80 52 00 00 {len:load} {load} 00
< {signature:64} 9000
check credit_record of=load

# A new key withdraws the old one, also for a repeat; what was done stays done.
make payment_certificate fourth generation=4 public_key={payment2}
> 00 DA 01 02 {len:fourth} {fourth}
< 9000
check status generation=4 balance=10000 credit_seq=1
power_cycle
> 00 A4 04 00 {len:aid} {aid} 00
< 6F 27 84 08 {aid} 8A 01 05 A5 18 80 02 01 00
    81 08 {issuer} 82 02 {u16:392} 83 04 {u32:4} 9000
> 80 52 00 00 {len:load} {load} 00
< 9402
make permit by_old seq=1
> 80 54 00 00 {len:by_old} {by_old} 00
< 9402
make token load_again like=load key=payment2
> 80 52 00 00 {len:load_again} {load_again} 00
< {signature} 9000
make permit by_new like=by_old key=payment2
> 80 54 00 00 {len:by_new} {by_new} 00
< {signature:64} 9000
check debit_record of=by_new
check status balance=9000 debit_seq=1 generation=4

# A fifth and a sixth: each of the two places is used in turn.
make payment_certificate fifth generation=5
> 00 DA 01 02 {len:fifth} {fifth}
< 9000
make payment_certificate last generation=4294967295 public_key={payment2}
> 00 DA 01 02 {len:last} {last}
< 9000
> 00 DA 01 02 {len:fifth} {fifth}
< 9404
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
check status generation=4294967295
make permit by_last seq=2 key=payment2
> 80 54 00 00 {len:by_last} {by_last} 00
< {signature:64} 9000
check debit_record of=by_last
