package ikev1

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/trace"
)

// message is one received datagram.
type message struct {
	payload.Header
	raw       []byte
	local     netip.AddrPort // where it came to
	remote    netip.AddrPort // and from
	chain     []payload.Item // decrypted if need be, decoded unless malformed
	nextIV    []byte         // the IV after it, if it is genuine
	malformed error          // a genuine message with a payload that cannot be decoded
}

// parse reads a message in the clear.
func (m *message) parse() error {
	chain, rest, err := payload.Parse(m.Next, m.raw[payload.HeaderLen:])
	if err != nil {
		return err
	}
	if err := m.behind(rest); err != nil {
		return err
	}
	m.chain = chain
	return nil
}

// behind judges what follows the last payload of a message in the clear. Padding may, which makes its length a
// multiple of four: RFC 2408, Section 3.6. Libreswan has it.
func (m *message) behind(rest []byte) error {
	if n := len(rest); n >= 4 || n > 0 && len(m.raw)%4 != 0 {
		return ike.Errorf(ike.CodeProcessing, payload.NotifyUnequalPayloadLengths, "%d bytes after the last payload", n)
	}
	return nil
}

// parseAround reads a message in the clear of which the bodies of some payloads are encrypted; those stay as they are.
func (m *message) parseAround(sealed ...payload.Type) error {
	chain, rest, err := payload.Split(m.Next, m.raw[payload.HeaderLen:])
	if err != nil {
		return err
	}
	if err := m.behind(rest); err != nil {
		return err
	}
	for i, item := range chain {
		if slices.Contains(sealed, item.Payload.Type()) {
			continue
		}
		if err := payload.Decode(chain[i : i+1]); err != nil {
			return err
		}
	}
	m.chain = chain
	return nil
}

// only is the one payload of a type.
func (m *message) only(t payload.Type) (item payload.Item, err error) {
	found := 0
	for _, i := range m.chain {
		if i.Payload.Type() == t {
			item = i
			found++
		}
	}
	if found != 1 {
		return item, ike.Errorf(ike.CodeProcessing, payload.NotifyPayloadMalformed, "%d %v payloads in a message that needs one", found, t)
	}
	return item, nil
}

// decrypt reads an encrypted message as far as its generic headers and decodes what it can.
func (m *message) decrypt(k *keys, iv []byte) (plain, padding []byte, err error) {
	if plain, m.nextIV, err = k.open(iv, m.raw[payload.HeaderLen:]); err != nil {
		return nil, nil, err
	}
	if m.chain, padding, err = payload.Split(m.Next, plain); err != nil {
		return nil, nil, err
	}
	m.malformed = payload.Decode(m.chain)
	return plain, padding, nil
}

var errNoHash = errors.New("does not start with a Hash payload")
var errHash = errors.New("HASH does not verify")

// authenticate decrypts a phase 2 message and compares the HASH payload in
// front with what want makes of the bytes behind it, cipher padding excluded
// (RFC 2409, Section 5.5). After an error m holds nothing of the noise.
func (m *message) authenticate(k *keys, iv []byte, want func(rest []byte) []byte) error {
	err := m.verify(k, iv, want)
	if err != nil {
		m.chain, m.malformed = nil, nil
	}
	return err
}

func (m *message) verify(k *keys, iv []byte, want func(rest []byte) []byte) error {
	plain, padding, err := m.decrypt(k, iv)
	if err != nil {
		return err
	}
	if len(m.chain) == 0 || m.chain[0].Payload.Type() != payload.TypeHash {
		return errNoHash
	}
	rest := plain[len(m.chain[0].Raw) : len(plain)-len(padding)]
	if !hmac.Equal(m.chain[0].Body(), want(rest)) {
		return errHash
	}
	return nil
}

// genuine takes note of a message that the peer alone can have sent.
func (sa *SA) genuine(now time.Time, m *message) {
	sa.lastHeard, sa.hasEnd = now, true
	sa.count(now, len(m.raw)-payload.HeaderLen)
}

// clear builds a message that is not encrypted.
func (sa *SA) clear(x payload.Exchange, mid uint32, ps ...payload.Payload) []byte {
	b := sa.header(x, mid, payload.First(ps), 0).Append(nil)
	b = payload.Append(b, ps...)
	payload.SetLength(b)
	return b
}

// sealed builds an encrypted message; next is the IV after it.
func (sa *SA) sealed(x payload.Exchange, mid uint32, iv []byte, ps ...payload.Payload) (msg, next []byte) {
	ciphertext, next := sa.keys.seal(iv, payload.Append(nil, ps...))
	msg = sa.header(x, mid, payload.First(ps), payload.Encrypted).Append(nil)
	msg = append(msg, ciphertext...)
	payload.SetLength(msg)
	return msg, next
}

// hashed builds a phase 2 message: its HASH payload is what hash makes of the payloads behind it.
func (sa *SA) hashed(x payload.Exchange, mid uint32, iv []byte, hash func(rest []byte) []byte, ps ...payload.Payload) (msg, next []byte, all []payload.Payload) {
	all = append([]payload.Payload{payload.Hash{Data: hash(payload.Append(nil, ps...))}}, ps...)
	msg, next = sa.sealed(x, mid, iv, all...)
	return msg, next, all
}

func (sa *SA) header(x payload.Exchange, mid uint32, first payload.Type, f payload.Flags) payload.Header {
	return payload.Header{
		CookieI: sa.cookies.Initiator, CookieR: sa.cookies.Responder,
		Next: first, Version: payload.Version1, Exchange: x, Flags: f, MessageID: mid,
	}
}

// hash1 is HASH(1) of quick mode and of informational exchanges, RFC 2409, Sections 5.5 and 5.7.
func (sa *SA) hash1(mid uint32) func(rest []byte) []byte {
	return func(rest []byte) []byte { return sa.keys.hash.PRF(sa.keys.a, messageID(mid), rest) }
}

// firstIV starts an exchange after phase 1, RFC 2409, Appendix B.
func (sa *SA) firstIV(mid uint32) []byte { return sa.keys.iv(sa.iv, messageID(mid)) }

func messageID(mid uint32) []byte { return binary.BigEndian.AppendUint32(nil, mid) }

// outgoing is a message that may have to be sent again, byte for byte.
type outgoing struct {
	msg    []byte
	record trace.IKEMessage
	timer  ike.Retransmit
	sent   time.Time // first
	named  bool      // it has an identification payload
}

// send sends a message for the first time and keeps it in o. A message that
// expects an answer starts o's timer. number counts within the exchange.
func (sa *SA) send(now time.Time, o *outgoing, msg []byte, number int, answer bool, note string, ps ...payload.Payload) {
	h, _ := payload.ParseHeader(msg) // we have just built it
	*o = outgoing{msg: msg, record: sa.record(true, h, number, items(ps)), sent: now, named: identifies(ps)}
	o.record.Note = note
	if h.Flags&payload.Encrypted != 0 {
		sa.count(now, len(msg)-payload.HeaderLen)
	}
	switch gaps := sa.env.Config.Gaps(); {
	case answer && number%2 == 0 && sa.env.Config.SilentResponder: // messages 2 and 4 are the responder's
		o.timer.Wait(now, gaps)
	case answer:
		o.timer.Start(now, gaps)
	}
	sa.transmit(now, o)
}

// sendAgain sends a copy. The timer, if it runs, goes on as it was.
func (sa *SA) sendAgain(now time.Time, o *outgoing, note string) {
	o.record.Retransmit++
	o.record.Note = note
	sa.transmit(now, o)
}

// transmit puts a message on the wire, whole or in fragments.
func (sa *SA) transmit(now time.Time, o *outgoing) {
	r, parts := o.record, [][]byte{o.msg}
	if sa.env.Config.Trace != nil {
		r.Local, r.Remote = sa.local.String(), sa.remote.String() // the peer may have moved since
	}
	if sa.toBeCut(now, o) {
		parts = sa.cut(o.msg)
		r.Note = join(r.Note, fmt.Sprintf("in %d fragments", len(parts)))
	}
	sa.env.Config.Record(r)
	for _, part := range parts {
		sa.emit(ike.EventSend{Datagram: ike.Datagram{Local: sa.local, Remote: sa.remote, Payload: bytes.Clone(part)}})
	}
}
