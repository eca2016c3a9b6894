# An offset that is no beginning of a piece is malformed, also behind the end of the file; and there
# is nothing to read before the first certificate (APDU.md section 12).

include personalised.story
> 00 47 80 00 00
< 7F49 43 86 41 04 {card_key:64} 9000
> 00 B0 00 00 00
< 6985
> 00 B0 00 01 00
< 6985

make file certificate size=200
> 00 D6 00 00 C8 {certificate}
< 9000
> 00 DA 01 04 22 {u16:200} {sha256:certificate}
< 9000
> 00 B0 00 00 00
< {certificate} 9000
> 00 B0 00 01 00
< 6A80
> 00 B0 00 C8 00
< 6A83
> 00 B0 00 C9 00
< 6A80
> 00 B0 7F FF 00
< 6A80
> 00 B0 7F 58 00
< 6A83
