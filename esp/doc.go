// Package esp is the IPsec boundary of a host: the processing model of RFC 4301
// on whole IPv4 and IPv6 datagrams held in byte slices. It knows no network stack and no
// key management; a host carries packets to it and acts on its decisions and
// events.
//
// # Processing model
//
// A Pipeline holds a security policy database for each direction (RFC 4301,
// Section 4.4.1) and a security association database (Section 4.4.2).
//
// Outbound takes a datagram before fragmentation (Section 5.1). The first entry
// of the outbound policy that selects it decides: it bypasses, is discarded, or
// must be protected. A datagram that matches no entry passes, as in Windows and
// contrary to the standard's default of discarding; a final entry that discards
// restores that. A datagram to be protected goes through the newest SA of
// (entry, local address, peer) whose selector holds it. When there is none, an
// acquire asks key management for one; meanwhile the last datagram for each
// destination waits. One with DF set that would outgrow the path MTU comes back
// as TooBig (Section 8.2.1). IPv6 has no DF; there TCP alone, which cuts its
// segments to the path MTU, is told, and what others send may be fragmented once it
// is protected.
//
// InboundClear judges a packet that arrived without protection by the inbound
// policy (Section 5.2, step 3b): what must be protected is discarded.
//
// InboundProtected takes a reassembled ESP or AH datagram (Section 5.2, step 3a).
// The SPI finds the SA; sequence number, integrity and padding are checked in the
// order of RFC 4303 and RFC 4302, Section 3.4, and the packet inside is held
// against the SA's selector (RFC 4301, Section 5.2, step 4), unless Config.TrustSPI says not to,
// as Windows does not.
//
// SAs come from Add, end by Remove, by their lifetimes in seconds and bytes
// (RFC 4301, Section 4.4.2.1) or idle, and ask for a successor ahead of that with
// EventSoft. Old inbound SAs stay usable beside their successors, so that a
// rekey loses no packet on its way.
//
// Time is an argument, randomness is in the Config, and deadlines are pulled
// with NextDeadline: the package starts nothing and reads no clock. A Pipeline
// is not safe for concurrent use.
//
// # Modes and bundles
//
// An SA in transport mode works behind the datagram's own header, in IPv6 with the
// hop-by-hop options, the routing header and the options before it; destination
// options for the end are protected (RFC 4303, Section 3.1.1). One in tunnel mode
// puts the whole datagram behind a header of its own (RFC 4301, Section 5.1.2), which
// need not be of the same IP version. A policy entry with a Peer is for tunnels, whose SAs are found by that
// far end, whatever the addresses inside.
//
// AH around ESP is a bundle of two SAs (RFC 2401, Section 4.3), which come in one
// Add and end together. Outbound applies both. Inbound demands both: AH is verified
// first, then the ESP inside is opened, which must be of the bundle's own SA; ESP
// of a bundle that arrives alone is discarded. ESP without integrity is taken
// inside AH only. ESP with NULL encryption is an SA like others.
//
// # Across NATs
//
// An SA of ESP with ipsec.Encapsulation has its packets carried in UDP (RFC 3948), in either mode; the host tells
// those apart from IKE that arrive on the same port. In transport mode the checksums of what comes out
// are repaired, in one of the ways of Config.Checksums. EventMoved tells of a peer that is elsewhere than before, for
// the newest packet that was accepted alone, and Move has its SAs follow. Outbound SAs of several computers behind one
// address differ by port. Config.Conflicts says what becomes of such whose traffic looks the same: where it
// has conversations remembered, they are looked up between the policy and the host's stack, and a translation of ports is seen by
// the stack alone.
//
// # In the clear in spite of a policy
//
// Two things that Windows has and RFC 4301 does not. FallBack begins a soft SA: no
// protection, but a permit for the traffic of two addresses, both ways, under the
// entries with FallBack; key management decides when. An inbound entry with
// Passthrough lets in what comes in the clear, and has an SA with its sender acquired.
//
// # Initialisation vectors
//
// CBC needs IVs that cannot be predicted (RFC 3602, Section 3; RFC 2451, Section
// 3). They are the packet's sequence number encrypted under the SA's own key,
// the first method of NIST SP 800-38A, Appendix C: one block operation, no draw
// from a shared source on the way of each packet, and a packet that is a function
// of its SA and its number alone. Counter mode, GCM, CCM, GMAC and ChaCha20 need IVs that
// never repeat under a key; they are the whole sequence number itself, the counter of RFC
// 4106, Section 3.1.
//
// # Sequence numbers
//
// An SA ends before its numbers do, at 2³², or with extended ones (Section 2.2.1) at 2⁶⁴.
// The upper half of these does not travel: the receiver works it out from its window
// (Appendix A2.2, package replay), and a wrong guess fails the integrity check, of which
// it is a part.
//
// # The first generation
//
// AH of RFC 1826 with keyed MD5 (RFC 1828), and with HMAC-MD5 and a counter of 64 bits (RFC
// 2085); ESP of RFC 1827 with DES (RFC 1829). The first and the last have no numbers, and no
// anti-replay. They are SAs like others, and that ESP is taken without integrity, which it
// never had; whether a host negotiates them is for policy.
//
// # What it leaves out
//
// Add refuses as unsupported: ESP without integrity outside AH, bundles other than
// AH around ESP, and every algorithm that package suite does not have. There are
// no multicast SAs, selectors by name, IPv6 jumbograms,
// and no traffic flow confidentiality; dummy packets are recognised and discarded
// (RFC 4303, Section 2.6), and what stands behind an inner datagram is cut off. AH
// follows a source route or a routing header to its end, but policy and SAs go by
// the destination in the header, which is the next hop. The TTL of an inner datagram is for whoever
// forwards it. The policy is ordered and not
// decorrelated (RFC 4301, Section 4.4.1), so it has no caches to go stale. A long one
// is searched by the shapes of its selectors (package classifier), at a cost that
// grows with the number of shapes and not with that of entries; a short one is walked,
// and so is one in which most entries have a shape of their own.
//
// Transport mode applies to whole datagrams (RFC 4303, Section 3.3.4). Clear
// fragments are judged without reassembly, see Pipeline.InboundClear. Checking
// clear ICMP errors against the packets that they quote (RFC 4301, Section 6)
// and learning path MTUs (Section 8) is the host's, as are IPv4 header checksums
// of arriving packets.
package esp
