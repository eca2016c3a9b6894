# A personalised card without a key has no journal to read (APDU.md section 7).

include personalised.story

> 00 B2 01 0C 00
< 6985
> 00 B2 01 14 00
< 6985
