package mux_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// from is a datagram of a stranger.
func from(h *host, stranger string, b []byte) ike.Datagram {
	return ike.Datagram{Local: netip.AddrPortFrom(h.addr, 500), Remote: netip.MustParseAddrPort(stranger), Payload: b}
}

// message is an ISAKMP message with these header fields.
func message(x payload.Exchange, ci, cr uint64, mid uint32, f payload.Flags, ps ...payload.Payload) []byte {
	h := payload.Header{Next: payload.First(ps), Version: payload.Version1, Exchange: x, Flags: f, MessageID: mid}
	binary.BigEndian.PutUint64(h.CookieI[:], ci)
	binary.BigEndian.PutUint64(h.CookieR[:], cr)
	b := payload.Append(h.Append(nil), ps...)
	payload.SetLength(b)
	return b
}

func offer(t testing.TB, h *host) *payload.SA {
	mm, _ := h.MainMode(h.addr, h.addr)
	sa, err := ike.OfferMainMode(mm)
	require.NoError(t, err)
	return sa
}

// Messages that belong to nothing: what each gets for an answer, and that none leaves a trace behind but the trace.
func TestStrayMessages(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	before, modes := len(n.sent), b.mux.MainModes()
	var zero uint64
	cookies := modes[0].Cookies
	ci, cr := binary.BigEndian.Uint64(cookies.Initiator[:]), binary.BigEndian.Uint64(cookies.Responder[:])
	none := payload.NotifyType(0)
	for _, row := range []struct {
		name   string
		from   string
		b      []byte
		answer payload.NotifyType
		note   string
	}{
		{"nothing", "10.0.0.1:500", nil, none, "too few for an ISAKMP header"},
		{"a byte short", "10.0.0.1:500", message(payload.MainMode, 9, 9, 0, 0)[:27], none, "too few for an ISAKMP header"},
		{"a length that lies", "10.0.0.1:500", append(message(payload.MainMode, 9, 9, 0, 0), 0), none, "header counts 28 bytes"},
		{"IKEv2", "10.0.0.1:500", func() []byte { b := message(payload.MainMode, 9, 0, 0, 0); b[17] = 0x20; return b }(), none, "version is 2.0, not 1.0"},
		{"a minor version of the future", "10.0.0.1:500", func() []byte { b := message(payload.MainMode, 9, 0, 0, 0, offer(t, b)); b[17] = 0x11; return b }(), none, "version is 1.1, not 1.0"},
		{"authentication only", "10.0.0.1:500", message(payload.Informational, ci, cr, 7, payload.AuthenticationOnly), none, "unsupported flags: authentication only"},
		{"a flag that does not exist", "10.0.0.1:500", message(payload.MainMode, 9, 0, 0, 0x80, offer(t, b)), none, "unsupported flags: 0x80"},
		{"no initiator's cookie", "10.0.0.1:500", message(payload.MainMode, zero, 9, 0, 0), none, "initiator's cookie is zero"},
		{"aggressive mode", "10.0.0.1:500", message(payload.Aggressive, 9, 0, 0, 0, offer(t, b)), payload.NotifyUnsupportedExchangeType, "aggressive mode is off"},
		{"message 1 with a message ID", "10.0.0.1:500", message(payload.MainMode, 9, 0, 7, 0, offer(t, b)), none, "has no message ID"},
		{"message 1 encrypted", "10.0.0.1:500", message(payload.MainMode, 9, 0, 0, payload.Encrypted, offer(t, b)), none, "is not encrypted"},
		{"message 1 without an SA", "10.0.0.1:500", message(payload.MainMode, 9, 0, 0, 0, payload.Nonce{Data: make([]byte, 8)}), payload.NotifyPayloadMalformed, "0 payloads of *payload.SA"},
		{"SA not in front", "10.0.0.1:500", message(payload.MainMode, 9, 0, 0, 0, payload.VendorID{}, offer(t, b)), payload.NotifyPayloadMalformed, "SA payload is not the first"},
		{"main mode under unknown cookies", "10.0.0.1:500", message(payload.MainMode, 9, 9, 0, 0), payload.NotifyInvalidCookie, "no main mode has these cookies"},
		{"quick mode under unknown cookies", "10.0.0.1:500", message(payload.QuickMode, 9, 9, 7, payload.Encrypted), payload.NotifyInvalidCookie, "no main mode has these cookies"},
		{"notification under unknown cookies", "10.0.0.1:500", message(payload.Informational, 9, 9, 7, 0), none, "no main mode has these cookies"},
		{"notification without a responder", "10.0.0.1:500", message(payload.Informational, 9, 0, 7, 0), none, "no main mode has these cookies"},
		{"somebody else with the right cookies", "10.0.0.7:500", message(payload.QuickMode, ci, cr, 7, payload.Encrypted), payload.NotifyInvalidCookie, "no main mode has these cookies"},
		{"quick mode in the clear", "10.0.0.1:500", message(payload.QuickMode, ci, cr, 7, 0), none, "must be encrypted"},
		{"quick mode of one block of noise", "10.0.0.1:500", message(payload.QuickMode, ci, cr, 7, payload.Encrypted, payload.Nonce{Data: make([]byte, 12)}), none, "ignored: quick mode message 1"},
		{"quick mode of half a block", "10.0.0.1:500", message(payload.QuickMode, ci, cr, 7, payload.Encrypted, payload.Hash{}), none, "not a multiple of the cipher's block"},
		{"Delete in the clear", "10.0.0.1:500", message(payload.Informational, ci, cr, 7, 0, payload.Delete{DOI: 1, Protocol: 1, SPISize: 16, SPIs: [][]byte{make([]byte, 16)}}), none, "not protected"},
		{"an exchange that is unsupported", "10.0.0.1:500", message(payload.AuthOnly, ci, cr, 7, payload.Encrypted), none, "authentication only is unsupported"},
		{"message 6 to the responder", "10.0.0.1:500", message(payload.MainMode, ci, cr, 0, payload.Encrypted), none, "main mode is over"},
	} {
		b.log = nil
		b.mux.HandleDatagram(n.now, from(b, row.from, row.b))
		b.drain()
		require.True(t, b.noted(row.note), "%s: %v", row.name, b.log)
		if row.answer == none {
			require.Len(t, n.sent, before, row.name)
		} else {
			require.Len(t, n.sent, before+1, row.name)
			chain, _, err := payload.Parse(payload.TypeNotify, n.sent[before].Payload[payload.HeaderLen:])
			require.NoError(t, err, row.name)
			require.Equal(t, row.answer.String(), chain[0].Payload.(payload.Notify).NotifyType.String(), row.name)
		}
		require.Equal(t, modes, b.mux.MainModes(), row.name)
		n.sent = n.sent[:before]
		n.flying = nil
		n.run(n.now.Sub(n.start) + time.Second)
	}
	n.wantPairs("the pair is untouched", 1)
}

// Our own message 1 is sent back to us.
func TestReflection(t *testing.T) {
	n, a, b := newPair(t)
	n.fate = func(int, ike.Datagram) []time.Duration { return nil }
	a.request(b)
	a.mux.HandleDatagram(n.now, from(a, "10.0.0.2:500", n.sent[0].Payload))
	a.drain()
	require.True(t, a.noted("our own message came back"))
	require.Len(t, a.mux.MainModes(), 1)
}

// A busy server: many peers, each with its main mode and pairs, and deadlines in order.
func TestManyPeers(t *testing.T) {
	n := newNetwork(t)
	server := n.add("server", "10.0.0.1", 1)
	server.config.Trace = nil
	server.reboot()
	const peers = 60
	for i := range peers {
		h := n.add("client", netip.AddrFrom4([4]byte{10, 0, 1, byte(i)}).String(), uint64(i+2))
		h.mainMode.Proposals[0].Group = 1
		h.request(server)
	}
	server.mainMode.Proposals[0].Group = 1
	r := rand.New(rand.NewPCG(1, 1))
	n.fate = func(int, ike.Datagram) []time.Duration {
		if r.IntN(5) == 0 {
			return nil
		}
		return []time.Duration{time.Duration(r.IntN(100)) * time.Millisecond}
	}
	n.run(4 * time.Minute)
	require.Len(t, server.in, peers)
	require.Len(t, server.mux.MainModes(), peers)
	server.mux.Shutdown(n.now)
	server.drain()
	require.Empty(t, server.mux.MainModes())
	require.Equal(t, peers, count[ike.EventMainModeGone](server))
}
