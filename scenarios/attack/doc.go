// Package attack is the attacker of a scenario: somebody with ports on Ethernet
// segments and on lines and no protocol stack, who sees every frame there, sits in
// the middle of the links of others, alters what passes, sends again what has
// passed, and puts packets of his own on the wire in the name of others, over IPv4
// and IPv6.
//
// He knows what an observer can know. What lies in ESP with encryption he can
// garble but not read; in ESP without encryption and behind AH he reads as RFC
// 5879 describes, and repairs the checksums of what he changes. He has no keys.
//
// Each act is one trace.Attack event and one frame whose comment in the capture
// says what was done and by whom. He answers nothing: no ARP, no ping.
//
// # What is left out
//
// He alters bytes, but neither shortens nor lengthens packets. He does not lie to
// switches or to address resolution: what he sends carries his own Ethernet
// address, and what he takes off a link goes on along that link. He puts no
// extension headers into packets of IPv6, and takes ESP without encryption for
// encrypted while a routing header has nodes left to visit: the checksum by which he
// knows it covers the last of them.
package attack
