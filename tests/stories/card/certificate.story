# The certificate file: pieces, commit, reading; renewal needs the PIN.

include personalised.story
> 00 47 80 00 00
< 7F49 43 86 41 04 {card_key:64} 9000

make file certificate size=450
> 00 D6 00 00 C8 {certificate[0..200]}
< 9000
> 00 D6 00 C8 C8 {certificate[200..400]}
< 9000

# Offsets beside a piece, behind the end, and a piece that is too long or empty.
> 00 D6 00 01 01 00
< 6A80
> 00 D6 08 98 01 00
< 6A80
> 00 D6 7F 80 01 00
< 6A80
> 00 D6 80 00 01 00
< 6A86
> 00 D6 00 00 C9 {zeros:201}
< 6700
> 00 D6 00 00
< 6700

# The file is not whole yet; then a hash that is wrong, and lengths that cannot be.
> 00 DA 01 04 22 {u16:450} {sha256:certificate}
< 6A80
> 00 D6 01 90 32 {certificate[400..450]}
< 9000
> 00 DA 01 04 22 {u16:450} {zeros:32}
< 6A80
> 00 DA 01 04 22 {u16:449} {sha256:certificate}
< 6A80
> 00 DA 01 04 22 {u16:451} {sha256:certificate}
< 6A80
> 00 DA 01 04 22 {u16:0} {sha256:certificate}
< 6A80
> 00 DA 01 04 22 {u16:2201} {sha256:certificate}
< 6A80
check status life_cycle=3
> 00 B0 00 00 00
< 6985

> 00 DA 01 04 22 {u16:450} {sha256:certificate}
< 9000
check status life_cycle=5
> 00 B0 00 00 00
< {certificate[0..200]} 9000
> 00 B0 00 C8 00
< {certificate[200..400]} 9000
> 00 B0 01 90 00
< {certificate[400..450]} 9000
> 00 B0 01 90 C8
< {certificate[400..450]} 9000
> 00 B0 01 90 32
< 6700
> 00 B0 02 58 00
< 6A83

# A new file of the greatest length does not touch the valid one until it is committed.
make file renewed size=2200
> 00 D6 00 00 C8 {renewed[0..200]}
< 9000
> 00 D6 00 C8 C8 {renewed[200..400]}
< 9000
> 00 D6 01 90 C8 {renewed[400..600]}
< 9000
> 00 D6 02 58 C8 {renewed[600..800]}
< 9000
> 00 D6 03 20 C8 {renewed[800..1000]}
< 9000
> 00 D6 03 E8 C8 {renewed[1000..1200]}
< 9000
> 00 D6 04 B0 C8 {renewed[1200..1400]}
< 9000
> 00 D6 05 78 C8 {renewed[1400..1600]}
< 9000
> 00 D6 06 40 C8 {renewed[1600..1800]}
< 9000
> 00 D6 07 08 C8 {renewed[1800..2000]}
< 9000
> 00 D6 07 D0 C8 {renewed[2000..2200]}
< 9000
> 00 B0 00 00 00
< {certificate[0..200]} 9000

# The wrong hash comes before the missing PIN, and takes the permission all the same.
> 00 DA 01 04 22 {u16:2200} {zeros:32}
< 6A80
> 00 DA 01 04 22 {u16:2200} {sha256:renewed}
< 6982
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 DA 01 04 22 {u16:2200} {zeros:32}
< 6A80
> 00 DA 01 04 22 {u16:2200} {sha256:renewed}
< 6982
> 00 B0 01 90 00
< {certificate[400..450]} 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 DA 01 04 22 {u16:2200} {sha256:renewed}
< 9000
> 00 B0 00 00 00
< {renewed[0..200]} 9000
> 00 B0 07 D0 00
< {renewed[2000..2200]} 9000
> 00 B0 08 98 00
< 6A83

# A repeat looks at the file that was valid before: the host reads instead.
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 DA 01 04 22 {u16:2200} {sha256:renewed}
< 6A80
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 B0 00 00 00
< {renewed[0..200]} 9000
check status life_cycle=5
