# The pieces of the next certificate outlive a power cycle; a shorter one leaves no old bytes valid.

include certified.story
make file next size=201
> 00 D6 00 00 C8 {next[0..200]}
< 9000
power_cycle
> 00 A4 04 0C {len:aid} {aid}
< 9000
> 00 D6 00 C8 01 {next[200..201]}
< 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 DA 01 04 22 {u16:201} {sha256:next}
< 9000
> 00 B0 00 C8 00
< {next[200..201]} 9000
> 00 B0 01 90 00
< 6A83
# Renewed again: the place of the first file is used again.
make file third size=1
> 00 D6 00 00 01 {third}
< 9000
> 00 20 00 01 08 {pin:1234}
< 9000
> 00 DA 01 04 22 {u16:1} {sha256:third}
< 9000
> 00 B0 00 00 00
< {third} 9000
> 00 B0 00 C8 00
< 6A83
check status life_cycle=5
