// Package ikev1 is the Internet Key Exchange, version 1, as a state machine
// without I/O: main mode and aggressive mode with pre-shared keys, signatures and
// public key encryption, main mode with a GSS-API mechanism of the host's, quick mode, informational and transaction exchanges and new
// group mode, in both roles (RFC 2407, RFC 2408, RFC 2409). An SA is one ISAKMP
// SA with all exchanges under it; package mux keeps those of a host and is the
// only thing that a host talks to.
//
// # What changes state
//
// Only a message that is what the exchange awaits does. In phase 2 that means:
// its HASH verifies. In main mode nothing is authenticated before messages 5
// and 6, so a message that does not fit is dropped and the exchange goes on
// waiting; what was wrong with it is remembered and named if the exchange runs
// out of time. A notification that is not protected never ends an exchange: it
// is kept as a hint for the same purpose. Of aggressive mode, the initiator takes
// message 2 if its proof verifies, and else forgets all that was in it; notifications
// beside the proof count in an encrypted message 3 alone.
//
// What is wrong with the certificate of a signature that verifies ends phase 1 at
// once, with a protected notification; whoever sent that message has made the
// Diffie–Hellman exchange with us. A signature that does not verify, or a
// certificate without a key to verify it with, may be the work of the network.
//
// A wrong pre-shared key therefore shows like this. Message 5 decrypts to
// noise at the responder, which drops it, tells the initiator so in the clear
// (within a budget), and gives up after its schedule with "the pre-shared keys
// differ". The initiator gives up with "no response" and the hint.
// MS-IKEE, 3.1.5 has notifications of the last round trip protected; but then
// whoever forges message 5 could have the responder end the main mode at the initiator.
//
// # Outcomes
//
// A row is a message of a negotiation without losses, a column the number of
// messages delivered before it comes, in its turn or out of it: main mode 1 to 6,
// quick mode 1 to 3, the Delete of the pair (10) and of the main mode (11), both
// from the initiator. A test keeps the tables, which are the same for all methods of authentication.
//
//	    0 1 2 3 4 5 6 7 8 9 10 11
//	 1  N = = . . . . . . . . .
//	 2  A A . . . . . . . . C C
//	 3  C A A = = . . . . . . .
//	 4  W W A A . . . . . . C C
//	 5  C . . A A = = = = = = =
//	 6  . . . . A A . . . . C C
//	 7  C . . . . A A = = . . .
//	 8  . . . . . . A A = = C C
//	 9  C . . . . . . A A . . .
//	10  . . . . . - - - - A . .
//	11  . . . . . A A A A A A .
//
// Of aggressive mode 1 to 3, quick mode 4 to 6, and the Deletes, 7 and 8:
//
//	   0 1 2 3 4 5 6 7 8
//	1  N = = . . . . . .
//	2  A A = = = = = C C
//	3  C A A . . . . . .
//	4  C . . A = = . . .
//	5  . . A A A = = C C
//	6  C . . . A A . . .
//	7  . . . - - - A . .
//	8  . . . A A A A A .
//
// A: it is what its receiver awaits. N: it starts a main mode. =: a copy, which
// gets the stored answer again. -: genuine, with nothing to act on. The others
// change nothing: dots are ignored, C and W are answered in the clear within a
// budget, with INVALID-COOKIE or with what is wrong, the latter once in a main
// mode. (Each message that arrives is in the trace, with the reason why it was
// ignored.) An A before its turn needs a message that the peer has not sent: one
// of main mode up to 4 can be forged by whoever sees the cookies, which ends that
// main mode at messages 5 and 6; later ones, and those of aggressive mode after
// message 1, cannot. (A certificate that nobody trusts can come from anybody,
// and ends an aggressive mode.)
//
// Further, and with the same effect in each state:
//
//   - What came from this host itself is ignored when it comes back to it.
//   - With ike.Config.DoSProtection message 1 is answered with a cookie in the clear and forgotten,
//     in each column. With the cookie it starts a main mode (N), and copies of that are =.
//     The answer needs no budget, since it is shorter than what it answers. The initiator sends back up to
//     three cookies before message 2, and later none.
//   - Messages of another main mode, and of another host, have unknown cookies;
//     under the cookies of this one they are what could be forged, or noise.
//   - A header with another version than 1.0, with flags other than encryption
//     and commit, with a length that is not that of the datagram, or without an
//     initiator's cookie is ignored by package mux. So are first messages of other
//     exchanges than main mode and, where policy has it, aggressive mode, which get UNSUPPORTED-EXCHANGE-TYPE.
//   - Another exchange type, message ID or encryption flag than belongs to the
//     message: ignored. No hash covers the exchange type; a message that is given
//     out as one of another exchange does not use up the message ID of its own.
//   - Cut short anywhere, or with bytes behind the last payload in the clear:
//     ignored, and in main mode answered as W. Encrypted, what follows the last
//     payload is padding, of which no hash says how much there is: whole blocks of
//     it are accepted, but the IV of the next message comes from them, so that the
//     exchange ends there, by its schedule.
//   - A payload of an unknown type is passed over; one that is missing, doubled or
//     malformed in a message of main mode is answered as W. In a genuine quick mode
//     message it ends that quick mode, with a protected notification.
//
// # Retransmission
//
// Every message that expects an answer is sent again on the schedule of
// ike.Config.Retransmit, by both roles unless ike.Config.SilentResponder leaves
// it to the initiator, as identical bytes. A copy of the request answered last
// gets the stored answer once more. A copy of a responder's message 2 or 4 of
// main mode does not, because the initiator's own timer is running and
// answering both would double every message that follows. The initiator of a
// quick mode has no timer after message 3, and does answer a copy of message 2. So
// does that of an aggressive mode, where a copy of message 3 is therefore not
// answered; and until the responder has sent something under the SA, message 3
// goes along with each copy of a message 1 of quick mode.
//
// A quick mode that ends without any answer although the peer sent nothing
// else under the main mode either ends the main mode with it: the peer has lost
// it, or is gone, and the next request starts afresh. A responder that never
// sees message 3 deletes its half of the pair at the peer, which may be using
// it by then.
//
// # The commit bit
//
// A peer that sets it in quick mode has us wait for its CONNECTED before the
// outbound SAs are handed over; the inbound ones are there at once. Message 3 is
// repeated meanwhile, and a copy of it gets CONNECTED again. When the wait of
// ike.Config.CommitWait is over, the SAs are used without it: the bit is in no
// hash, so that anybody on the way can set it. CONNECTED is taken in either of
// the forms seen in the field. In main mode the bit is tolerated, because what
// follows message 6 is protected under the SA that it would announce. We set it
// only with ike.Config.Commit.
//
// # Between phase 1 and the first quick mode
//
// Where the method of authentication is one of XAUTH, or policy has mode config or a group
// to propose, an SA is not up with the end of phase 1. Transaction exchanges and new group
// mode come first, each of a request and an answer under a message ID of its own: the request
// is sent again on the schedule, a copy of it gets the stored answer. In this order:
//
//   - XAUTH. The edge device asks, whoever started phase 1. It tells the other side what it
//     makes of the user, and deletes the SA of one that it refuses when that has been heard;
//     should the Delete be lost, the other side gives up by itself after
//     ike.Config.ConnectedWait.
//   - Mode config. Whoever takes an address waits for it; one that is asked for it is not.
//   - New group mode, by the initiator. A refusal ends nothing.
//
// Quick modes that come before an SA is up are ignored, and so come again. An answer that is
// lost for good leaves one side up and the other not; the former finds out by its next quick
// mode, as after a lost message 6. INITIAL-CONTACT counts when the SA is up: with the key of a
// group alone, one user could drop the SAs of another. What each side makes of them:
//
//	                     XAUTH      REQUEST for  SET of an   new group
//	                     messages   an address   address     mode
//	before phase 1 ends  ignored    ignored      ignored     ignored
//	during XAUTH         its turn   empty reply  empty ack   refused
//	after XAUTH          FAIL, ACK  served       its turn    judged once
//	up                   FAIL, ACK  served       empty ack   judged once
//	lingering            ignored    ignored      ignored     ignored
//
// Copies of what was answered get the answer again, in each row but the first.
//
// # The end of a main mode
//
// The side that started a main mode starts another one some time before it ends
// (ike.Config.MainModeMargin, MainModeSpread), while pairs of SAs live that may want one. The old
// one serves until the new one is up, and then ends by itself.
//
// A main mode ends when its lifetime is over, when it has encrypted what it may
// or the number of quick modes that policy allows it is used up, when either side
// deletes it, or when the peer is silent. Except for the last, it lingers: nothing
// new starts under it, but quick modes under way come to their end, copies are
// answered, and a quick mode of a peer that has missed our Delete gets the Delete
// again. Requests that lose their main mode go on under the next one. The pairs
// of IPsec SAs negotiated under it live on.
//
// # Deletes that are acknowledged
//
// With ike.Config.ReliableDelete a Delete to a peer with the vendor ID of Windows XP or
// later has a nonce, and is repeated until the peer has answered it (MS-IKEE, 3.8);
// others get a plain one, once. Theirs are answered, and each copy gets the same answer,
// also from an SA that lingers. What is deleted is gone at once: it is the message that
// has to arrive. An SA that is ended with a word to the peer is kept until the schedule of
// its Deletes is over, and does nothing else. The table above is of Deletes that nobody
// acknowledges.
//
// # Fragments
//
// With ike.Config.Fragmentation a message is sent in fragments to a peer that has
// announced that it takes them, at once or when it was not answered, see there. Nothing
// authenticates a fragment: whoever has seen the cookies can spoil a message that is under way
// by sending one of its numbers first, and the next copy, which has an ID of its own,
// takes its place. What fragments can make us keep is bounded, for an SA and for all of a
// host, and goes after 70 s. A message that was put together is treated as one that
// came whole.
//
// # NAT traversal
//
// With ike.Config.NAT both sides announce versions of NAT traversal and look for NATs (RFC 3947, and the drafts
// before it). With a NAT, and from draft 02 on, the initiator sends message 5, or message 3 of aggressive
// mode, from and to port 4500; the responder goes along when that message proves who it is, and what came to port
// 500 after that is old. Of an ISAKMP SA for which a version was agreed on, the table above is
// of messages between the two ends where it lives; further, and with the same effect in each state:
//
//   - From another address: what is not encrypted is ignored, and all where the peer is known to be behind no NAT.
//   - To port 500, when it lives on port 4500: ignored, but for informational exchanges.
//   - A copy gets the stored answer where it came from, and the SA stays where it is: so that a mapping that was lost
//     between two copies costs nothing. A side behind a NAT answers where its peer is.
//   - The genuine message that is awaited, or that begins an exchange with a message ID new in any exchange,
//     from elsewhere: the SA follows, where the peer is behind a NAT and we are not. A genuine message that is refused before
//     its ID is used up does not count.
//   - Whoever holds back a genuine message and sends it from elsewhere first is followed, until the next one of the peer
//     (RFC 3947, Section 8). A responder behind a NAT follows nobody after phase 1: what message 5 says is where it stays.
//
// # Dead peers
//
// With ike.Config.DPD the peer is asked whether it is there when there was traffic to it
// and none from it for a while (RFC 3706), under the main mode established last. Any
// genuine message and any packet under an SA is a sign of life. A peer that gives none
// loses its main modes and its pairs; nobody tells it.
//
// # Notifications before the end of main mode
//
// An encrypted one is read under the IV of RFC 2409 and under those of Windows
// (MS-IKEE, product note 12); the HASH tells which it is. What is wrong with message 5 or 6
// is told in the clear, and encrypted as by Windows with ike.Config.ProtectNotify.
//
// # What is left out
//
// NOTIFY_STATUS is read and not sent: MS-IKEE, 2.2.6 does not say when. Fragments
// without the ISAKMP header of the message are put together for messages that begin with
// an identification in main mode, with a hash in quick mode and with the SA in aggressive
// mode; their header has lost what they begin with.
//
// Authentication-only messages (RFC 2408, Section 3.1), several SA payloads in one quick mode
// (RFC 2409, Section 5.5), GSS-API mechanisms that need more tokens than one each way, XAUTH of other types than Generic, inner addresses of IPv6, and new
// groups over curves are unsupported here.
package ikev1
