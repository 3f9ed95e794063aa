package mux_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// mishap is what becomes of one message on its way.
type mishap uint8

const (
	lost      mishap = iota // it, and so many copies as detail says; 3: all of them
	doubled                 // and the copy comes at once
	late                    // and a copy comes later, by detail
	slow                    // it comes later, by detail
	overtaken               // the next message arrives before it
	spoilt                  // altered at place detail
	preceded                // a copy that was altered at place detail comes before it
	reflected               // and a copy comes back to its sender
	misplaced               // and a copy comes as one of another exchange, or of the other side, by detail
	strangers               // and a copy comes from an address that nobody has, before it
	remapped                // and NATs have lost their mappings
	mishaps                 // how many there are
)

var mishapNames = [mishaps]string{"lost", "doubled", "late", "slow", "overtaken", "spoilt", "preceded", "reflected", "misplaced", "strangers", "remapped"}

// fault is a mishap of the message with a number, from 1 in the order of sending.
type fault struct {
	message int
	mishap  mishap
	detail  int
}

func (f fault) String() string {
	return fmt.Sprintf("message %d %s %d", f.message, mishapNames[f.mishap], f.detail)
}

// Delays of late and slow: past the next copy, past the next few, past the end of the exchange, and of the main mode.
var delays = []time.Duration{700 * time.Millisecond, 3500 * time.Millisecond, 40 * time.Second, 7 * time.Minute}

// everyCopy is the detail of lost for all copies.
const everyCopy = 3

// details is how many kinds of a mishap there are for a message.
func (m mishap) details(b []byte) int {
	switch m {
	case lost:
		return 4
	case late, slow:
		return len(delays)
	case spoilt, preceded:
		return len(places(b))
	case misplaced:
		return 3
	default:
		return 1
	}
}

// maySpoil reports whether the fault alone may leave a request unserved: no copy of the
// message gets through, or what was made of it is as good as the genuine one to who cannot tell. A responder behind
// a NAT follows nobody after phase 1, wherever that has left it.
func (f fault) maySpoil(s setup) bool {
	switch f.mishap {
	case lost:
		return f.detail == everyCopy
	case spoilt, preceded:
		return true
	case misplaced:
		return f.message < s.phase1()
	case strangers: // of aggressive mode, message 3 says where the initiator is
		return s.where.Responder || s.dialect != 0 && s.aggressive && f.message == s.phase1()
	case remapped:
		return s.where.Responder && s.where.Initiator
	}
	return false
}

// badWay is a network on which faults happen.
type badWay struct {
	n      *network
	faults []fault
	losing map[string]int // copies still to be lost, by their bytes
	held   []ike.Datagram // until the next one has gone
	// wordLost reports that a fault met an informational exchange that nobody repeats, so
	// that a side may not have been told of the end of an SA.
	wordLost bool
}

// goBad has the faults happen to what is sent from now on.
func (n *network) goBad(faults ...fault) *badWay {
	w := &badWay{n: n, faults: faults, losing: map[string]int{}}
	n.fate = w.fate
	return w
}

func (w *badWay) fate(number int, d ike.Datagram) []time.Duration {
	for _, h := range w.held {
		w.n.fly(h, w.n.latency+time.Millisecond)
	}
	w.held = nil
	if w.losing[string(d.Payload)] > 0 {
		w.losing[string(d.Payload)]--
		return nil
	}
	once := []time.Duration{w.n.latency}
	i := slices.IndexFunc(w.faults, func(f fault) bool { return f.message == number })
	if i < 0 {
		return once
	}
	f, change := w.faults[i], bytes.Clone(d.Payload)
	if exchangeOf(d) == payload.Informational && (!w.repeats() || f.mishap == lost && f.detail == everyCopy) {
		w.wordLost = true
	}
	switch f.mishap {
	case lost:
		w.losing[string(d.Payload)] = f.detail
		if f.detail == everyCopy {
			w.losing[string(d.Payload)] = 1000
		}
		return nil
	case doubled:
		return append(once, w.n.latency)
	case late:
		return append(once, delays[f.detail%len(delays)])
	case slow:
		return []time.Duration{delays[f.detail%len(delays)]}
	case overtaken:
		w.held = append(w.held, d)
		w.n.after(5*time.Second, func() { // nothing comes
			if i := slices.IndexFunc(w.held, func(o ike.Datagram) bool { return &o.Payload[0] == &d.Payload[0] }); i >= 0 {
				w.held = slices.Delete(w.held, i, i+1)
				w.n.fly(d, 0)
			}
		})
		return nil
	case spoilt, preceded:
		all := places(change)
		d.Payload = all[f.detail%len(all)](change)
		w.n.fly(d, w.n.latency-time.Millisecond)
		if f.mishap == spoilt {
			return nil
		}
		return once
	case reflected:
		d.Local, d.Remote = d.Remote, d.Local
		w.n.fly(d, w.n.latency)
		return once
	case misplaced:
		switch f.detail % 3 {
		case 0: // another exchange
			change[18] = map[byte]byte{2: 32, 32: 5, 5: 32, 4: 2}[change[18]]
		case 1: // another message ID, or one
			change[23] ^= 1
		case 2: // the other side's
			copy(change, append(bytes.Clone(change[8:16]), change[:8]...))
		}
		d.Payload = change
		w.n.fly(d, w.n.latency-time.Millisecond)
		return once
	case remapped:
		for _, b := range w.n.boxes {
			b.forget()
		}
		return once
	default:
		w.wordLost = w.wordLost || w.n.translated() // it comes first: the peer is followed there, as RFC 3947, Section 8 has it
		d.Local = netipPort("10.0.0.99")
		w.n.fly(d, w.n.latency)
		return once
	}
}

// repeats reports whether Deletes are repeated until they are acknowledged. The vendor ID
// that says whether the peer does so may have been altered.
func (w *badWay) repeats() bool {
	return w.n.hosts[0].config.ReliableDelete.Enabled && !slices.ContainsFunc(w.faults, func(f fault) bool { return f.mishap == spoilt || f.mishap == preceded })
}

// places are the ways in which a message is altered: each field of its header, of
// each payload the generic header and both ends of the body, each block of
// ciphertext, and its length.
func places(b []byte) (all []func([]byte) []byte) {
	flip := func(at int, bits byte) {
		all = append(all, func(b []byte) []byte { b[at%len(b)] ^= bits; return b })
	}
	for _, at := range []int{0, 15, 16, 17, 18, 20, 27} {
		flip(at, 1)
	}
	flip(19, byte(payload.Encrypted))
	flip(19, byte(payload.Commit))
	if b[19]&byte(payload.Encrypted) != 0 {
		for at := payload.HeaderLen; at < len(b); at += 8 {
			flip(at+at/8%8, 0x10)
		}
	} else {
		for at := payload.HeaderLen; at+4 < len(b); {
			n := int(binary.BigEndian.Uint16(b[at+2:]))
			if n < 4 || at+n > len(b) {
				break
			}
			for _, in := range []int{0, 3, 4, 7, n / 2, n - 1} {
				flip(at+in, 2)
			}
			at += n
		}
	}
	for _, cut := range []int{1, 8, 16, len(b) - payload.HeaderLen, len(b) - 10} {
		all = append(all, func(b []byte) []byte {
			b = b[:len(b)-min(cut, len(b))]
			if len(b) >= payload.HeaderLen && cut%8 == 0 {
				payload.SetLength(b)
			}
			return b
		})
	}
	for _, more := range []int{1, 8, 16} {
		all = append(all, func(b []byte) []byte {
			b = append(b, make([]byte, more)...)
			payload.SetLength(b)
			return b
		})
	}
	return all
}

// someFaults draws a few for a negotiation of so many messages.
func someFaults(r *rand.Rand, messages int) (fs []fault) {
	for range 1 + r.IntN(4) {
		f := fault{message: 1 + r.IntN(messages+3), mishap: mishap(r.IntN(int(mishaps))), detail: r.IntN(1000)}
		if f.mishap == lost {
			f.detail = pick(r, 0, 0, 0, 1, 1, 2, 3)
		}
		fs = append(fs, f)
	}
	return fs
}
