# From the blank card to an active one: identity, key, enrolment, certificate. It has no payment
# server's key yet.

include personalised.story

> 00 47 80 00 00
< 7F49 43 86 41 04 {card_key:64} 9000
> 80 5A 01 00 10 00112233445566778899AABBCCDDEEFF 00
< {signature:64} 9000
check enrolment nonce=00112233445566778899AABBCCDDEEFF

make file certificate size=450
> 00 D6 00 00 C8 {certificate[0..200]}
< 9000
> 00 D6 00 C8 C8 {certificate[200..400]}
< 9000
> 00 D6 01 90 32 {certificate[400..450]}
< 9000
> 00 DA 01 04 22 {u16:450} {sha256:certificate}
< 9000
check status life_cycle=5 generation=0
