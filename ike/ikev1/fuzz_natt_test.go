package ikev1

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
)

// What may stand where NAT-D payloads do, in message 3 or 4, from whatever port: a chain of payloads, of which the first
// two bytes of each piece are the type and the length. A NAT is looked for exactly if there are two NAT-D payloads at least
// of the dialect's number, and what is answered is bounded.
func FuzzNATD(f *testing.F) {
	for _, seed := range [][]byte{
		{}, {20, 2, 1, 2, 20, 2, 3, 4}, {130, 0, 130, 0}, {20, 0}, {20, 1, 1, 130, 1, 1}, {21, 8, 1, 0, 0, 0, 10, 0, 0, 1, 20, 0, 20, 0, 20, 0}, {13, 3, 1, 2, 3}, {1, 0}, {4, 4, 1, 1, 1, 1},
	} {
		f.Add(false, seed, uint16(500))
		f.Add(true, seed, uint16(20001))
	}
	f.Fuzz(func(t *testing.T, four bool, pieces []byte, port uint16) {
		i, r := newSide(t, 1), newSide(t, 2)
		for _, s := range []*side{i, r} {
			s.config.NAT = ike.NATTraversal{Dialects: []ike.NATDialect{ike.NATRFC3947}, Responder: ike.AssumeBoth}
		}
		beginWith(i, r)
		i.give(r.take())
		genuine, from, to := i.take(), i, r
		if four {
			r.give(genuine)
			genuine, from, to = r.take(), r, i
		}
		h, err := payload.ParseHeader(genuine)
		require.NoError(t, err)
		chain, _, err := payload.Split(h.Next, genuine[payload.HeaderLen:])
		require.NoError(t, err)
		var ps []payload.Payload
		for _, item := range chain[:2] { // KE, nonce
			ps = append(ps, item.Payload)
		}
		natd := 0
		for len(pieces) >= 2 && len(ps) < 200 {
			kind, n := payload.Type(pieces[0]), min(int(pieces[1]), len(pieces)-2)
			ps = append(ps, payload.Raw{T: kind, Data: pieces[2 : 2+n]})
			pieces = pieces[2+n:]
			if kind == payload.TypeNATD {
				natd++
			}
		}
		b := payload.Append(h.Append(nil), ps...)
		payload.SetLength(b)
		h, _ = payload.ParseHeader(b)
		before := to.sa.state
		to.sa.HandleDatagram(now, ike.Datagram{Local: to.sa.local, Remote: netip.AddrPortFrom(from.sa.local.Addr(), port), Payload: b}, h)
		to.drain()
		require.LessOrEqual(t, len(to.out), 1)
		if to.sa.state == before { // the chain is none, or has what belongs elsewhere
			return
		}
		require.Equal(t, natd >= 2, to.sa.natt.found)
		require.Equal(t, natd >= 2, to.sa.natt.dialect != 0)
		require.Equal(t, natd >= 2, to.sa.natt.where.Any(), "no hash of a fuzzer fits")
		if !four {
			h, _ = payload.ParseHeader(to.out[0])
			answer, _, err := payload.Parse(h.Next, to.out[0][payload.HeaderLen:])
			require.NoError(t, err)
			require.Equal(t, natd >= 2, len(payload.All[payload.NATD](answer)) == 2, "who sends none gets none")
		}
	})
}
