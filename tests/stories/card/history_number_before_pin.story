# An entry that does not exist is 6A83 with and without the PIN (APDU.md section 12).

include certified.story
> 00 B2 01 1C 00
< 6A83
> 00 B2 00 1C 00
< 6A83
> 00 B2 21 1C 00
< 6A83
> 00 B2 FF 1C 00
< 6A83
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 B2 01 1C 00
< 6A83
