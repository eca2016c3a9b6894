# Permits and tokens at the end of all sequences; here, at the beginning, all of them are refused.

include blank_to_active.story

make permit last_permit seq=4294967295 amount=10
make permit wrapped_permit seq=0 amount=10
make permit first_permit seq=1 amount=10
make permit other_permit seq=4294967295 amount=11
make token last_token slot=4294967295 amount=10
make token wrapped_token slot=0 amount=10
make token other_token slot=4294967295 amount=11
> 80 54 00 00 {len:last_permit} {last_permit} 00
< 9408
> 80 54 00 00 {len:wrapped_permit} {wrapped_permit} 00
< 9408
> 80 52 00 00 {len:last_token} {last_token} 00
< 9408
> 80 52 01 00 04 FFFFFFFF 00
< 9408
