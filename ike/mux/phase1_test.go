package mux_test

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// What strangers and cheats gain in phase 1, beyond impostors: nothing.

// by are the messages that a host has sent.
func (s *story) by(h *host) (ds []ike.Datagram) {
	for _, d := range s.sent {
		if d.Local.Addr() == h.addr {
			ds = append(ds, d)
		}
	}
	return ds
}

// appended is a message in the clear with one more payload.
func appended(t *testing.T, b []byte, p payload.Payload) []byte {
	h, err := payload.ParseHeader(b)
	require.NoError(t, err)
	chain, _, err := payload.Split(h.Next, b[payload.HeaderLen:])
	require.NoError(t, err)
	var ps []payload.Payload
	for _, item := range chain {
		ps = append(ps, item.Payload)
	}
	b = payload.Append(b[:payload.HeaderLen:payload.HeaderLen], append(ps, p)...)
	payload.SetLength(b)
	return b
}

// A request for a certificate counts in any message; one for something else than an X.509 certificate is none.
func TestRequestsInAnyMessage(t *testing.T) {
	for _, aggressive := range []bool{false, true} {
		for number := 1; number <= 4; number++ {
			if aggressive && number > 1 {
				continue // the initiator has named itself, and so chosen its certificate
			}
			for _, encoding := range []payload.CertEncoding{payload.CertX509Signature, payload.CertCRL} {
				st := newStory(t, setup{aggressive: aggressive, method: ike.RSASignature}, 1)
				st.name = fmt.Sprintf("%s: in message %d %v", st.name, number, encoding)
				st.alter = func(n int, b []byte) []byte {
					if n == number {
						b = appended(t, b, payload.CertificateRequest{Encoding: encoding, Authority: []byte(badAuthority)})
					}
					return b
				}
				st.a.request(st.b)
				st.run(secondPair)
				if encoding == payload.CertX509Signature {
					st.wantNoSA()
				} else {
					st.wantPairs(st.name, 1)
				}
			}
		}
	}
}

// The hash of message 2 of aggressive mode covers no notification, and nothing encrypts it.
func TestNotificationsBesideTheProofInTheClear(t *testing.T) {
	for _, method := range methods {
		s := setup{aggressive: true, method: method}
		st := newStory(t, s, 1)
		st.alter = func(n int, b []byte) []byte {
			if n != 2 {
				return b
			}
			return appended(t, b, ike.ResponderLifetime(payload.ProtocolISAKMP, b[:16:16], ipsec.Lifetime{Duration: time.Minute}))
		}
		st.a.request(st.b)
		st.run(time.Second)
		st.wantPairs(st.name, 1)
		require.Equal(t, ike.DefaultLifetime, st.a.mux.MainModes()[0].Expires.Sub(st.a.mux.MainModes()[0].Since), "%s: the lifetime is that of the offer", s)
	}
}

// Whoever has the key of its address does not get away with the name of somebody else, whose key is known too.
func TestNameOfAnotherKey(t *testing.T) {
	for _, aggressive := range []bool{false, true} {
		for _, method := range []ike.AuthMethod{ike.RSAEncryption, ike.RevisedRSAEncryption} {
			st := newStory(t, setup{aggressive: aggressive, method: method}, 1)
			st.b.wallet.claims = "a"
			st.a.request(st.b)
			st.run(secondPair)
			st.wantNoSA()
			st.a.wantFailure(st.name, "whose key is another one than that of its address", ike.CodeAuthFailed)
		}
	}
}

// The peer learns nothing of what a ciphertext decrypts to: a name that makes no
// sense, or that is unknown, is answered like one that does not decrypt.
func TestNoOracleOfDecryption(t *testing.T) {
	for _, aggressive := range []bool{false, true} {
		for _, method := range []ike.AuthMethod{ike.RSAEncryption, ike.RevisedRSAEncryption} {
			for _, plain := range []string{"", "x", "\x01\x00\x00\x00\x07", "\x02\x00\x00\x00nobody.example", "\x02\x00\x00\x00a name that is longer than any"} {
				st := newStory(t, setup{aggressive: aggressive, method: method}, 1)
				in := &insider{n: st.network}
				number := 3
				if aggressive {
					number = 1
				}
				st.alter = func(n int, b []byte) []byte {
					if n != number {
						return b
					}
					return in.change(b, func([]byte) []byte { return []byte(plain) })
				}
				st.a.request(st.b)
				st.run(900 * time.Millisecond) // before the first copy
				want := 1
				if aggressive {
					want = 0
				}
				require.Len(t, st.by(st.b), want, "%s: %q", st.name, plain)
			}
		}
	}
}

// Message 1 of aggressive mode names us before the method is chosen, and the hash is of that name.
func TestAggressiveModeWithTheSecondMethod(t *testing.T) {
	for _, method := range []ike.AuthMethod{ike.RSASignature, ike.DSSSignature} {
		st := newStory(t, setup{aggressive: true, method: method}, 1)
		st.a.auth = append([]ike.Auth{{Method: ike.PreSharedKey, PreSharedKey: []byte("not the one that is chosen")}}, st.a.auth...)
		st.b.wallet.trusting = true
		st.a.request(st.b)
		st.run(time.Second)
		st.wantPairs(st.name, 1)
	}
}

// The initiator of an aggressive mode is at work when the responder refuses its certificate: all that it asked for fails with that.
func TestRefusedMessage3(t *testing.T) {
	st := newStory(t, setup{aggressive: true, method: ike.RSASignature}, 1)
	st.a.impostor(st.setup, true)
	for range 3 {
		st.a.request(st.b)
	}
	st.run(time.Second)
	require.Len(t, st.a.failed, 3)
	st.a.wantFailure(st.name, "the peer refused with INVALID-CERTIFICATE", ike.CodeAuthFailed)
	require.Empty(t, st.a.mux.MainModes(), "its end goes too")
	require.LessOrEqual(t, len(st.sent), 1+1+1+3+2+3, "nothing is tried again")
	st.wantNoSA()
}

// A responder hears in the clear that its message 2 was not taken.
func TestHintAboutMessage2(t *testing.T) {
	st := newStory(t, setup{aggressive: true, method: ike.PreSharedKey}, 1)
	var reasons []string
	st.b.config.Trace = func(b trace.Body) {
		if n, ok := b.(trace.Negotiation); ok && n.State == "failed" {
			reasons = append(reasons, n.Reason)
		}
	}
	st.b.reboot()
	st.a.impostor(st.setup, true)
	st.a.request(st.b)
	st.run(secondPair)
	require.Len(t, reasons, 1)
	require.Contains(t, reasons[0], "unauthenticated hint: AUTHENTICATION-FAILED")
}

// A message 2 of somebody else, under another cookie or with another proof, comes before the genuine one and changes nothing.
func TestForgedMessage2(t *testing.T) {
	for _, method := range methods {
		for _, at := range []int{10, -1} { // in the responder's cookie, and at the end
			st := newStory(t, setup{aggressive: true, method: method}, 1)
			st.fate = func(n int, d ike.Datagram) []time.Duration {
				if n == 2 {
					forged := bytes.Clone(d.Payload)
					forged[(at+len(forged))%len(forged)] ^= 1
					st.fly(ike.Datagram{Local: d.Local, Remote: d.Remote, Payload: forged}, 0)
				}
				return []time.Duration{st.latency}
			}
			st.a.request(st.b)
			st.run(900 * time.Millisecond) // before the first copy
			st.wantPairs(fmt.Sprintf("%s, at %d", st.name, at), 1)
		}
	}
}

// Whoever changes a public value on the way comes to nothing: keys differ, or hash and signature fail.
func TestSubstitutedPublicValues(t *testing.T) {
	for _, aggressive := range []bool{false, true} {
		for _, method := range methods {
			for number := 1; number <= 4; number++ {
				s := setup{aggressive: aggressive, method: method}
				st := newStory(t, s, 1)
				st.name = fmt.Sprintf("%s: the public value of message %d", s, number)
				changed := false
				st.alter = func(n int, b []byte) []byte {
					h, err := payload.ParseHeader(b)
					require.NoError(t, err)
					if n != number || h.MessageID != 0 || h.Flags&payload.Encrypted != 0 {
						return b
					}
					chain, _, err := payload.Split(h.Next, b[payload.HeaderLen:])
					require.NoError(t, err)
					for _, item := range chain {
						if item.Payload.Type() == payload.TypeKE {
							item.Raw[len(item.Raw)-1] ^= 1
							changed = true
						}
					}
					return b
				}
				st.a.request(st.b)
				st.run(900 * time.Millisecond)
				if changed {
					require.Zero(t, count[ike.EventSAs](st.a)+count[ike.EventMainMode](st.a), st.name)
				}
			}
		}
	}
}

// A signature that was altered on the way is not the end: the next copy is taken.
func TestSpoiltSignature(t *testing.T) {
	for _, row := range []struct {
		aggressive bool
		message    int
	}{{false, 5}, {false, 6}, {true, 2}, {true, 3}} {
		for _, method := range []ike.AuthMethod{ike.RSASignature, ike.DSSSignature} {
			st := newStory(t, setup{aggressive: row.aggressive, method: method}, 1)
			st.alter = func(n int, b []byte) []byte {
				if n == row.message {
					b[len(b)-60] ^= 1
				}
				return b
			}
			st.a.request(st.b)
			st.run(4 * time.Second)
			st.wantPairs(fmt.Sprintf("%s, message %d", st.name, row.message), 1)
		}
	}
}

// Message 3 of aggressive mode has no answer. A responder that repeats nothing gets it again with quick mode message 1.
func TestLostMessage3(t *testing.T) {
	for _, silent := range []bool{false, true} {
		st := newStory(t, setup{aggressive: true, method: ike.PreSharedKey, silent: silent}, 1)
		st.goBad(fault{message: 3, mishap: lost})
		st.a.request(st.b)
		st.run(2 * time.Second)
		st.wantPairs(st.name, 1)
	}
}
