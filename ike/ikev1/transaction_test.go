package ikev1

import (
	"encoding/hex"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/suite"
)

// Whole messages of both exchanges under the keys of the worked example, calculated in
// Python with hmac and the 3DES of OpenSSL: the hash, the IV of message 1 and that of 2, the
// form of the attributes. The last block of phase 1 is that of the example's message 6.
func TestTransactionKnownAnswers(t *testing.T) {
	k := example(t)
	last := unhex(t, "76e0e0a299f8388d380f84fe61f8a7148555d38963cec2981aee99b8662ce6994083ae2865db44e4")
	sa := &SA{keys: k, iv: last[len(last)-8:], cookies: ike.Cookies{
		Initiator: [8]byte(unhex(t, "1122334455667788")), Responder: [8]byte(unhex(t, "99aabbccddeeff00")),
	}}
	text := func(kind uint16, v string) payload.Attribute { return payload.Attribute{Type: kind, Value: []byte(v)} }
	generic := payload.BasicAttribute(payload.XAUTHType, payload.XAUTHGeneric)
	one := netip.MustParseAddr
	given := ike.Assignment{
		Address: one("10.9.0.10"), Netmask: 24, DNS: []netip.Addr{one("10.1.0.53")}, NBNS: []netip.Addr{one("10.1.0.42")}, Expiry: 30 * time.Minute,
		Version: "v1", Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, Banner: "hi",
	}
	var taken []payload.Attribute
	for _, a := range given.Attributes(nil) {
		taken = append(taken, payload.Attribute{Type: a.Type})
	}
	group, err := suite.NewGroup(40000, suite.GroupNumbered(1).Prime(), big.NewInt(2))
	require.NoError(t, err)
	for _, row := range []struct {
		name     string
		exchange payload.Exchange
		mid      uint32
		ps       [2]payload.Payload
		want     [2]string
	}{
		{"XAUTH", payload.Transaction, 0x5eed0001, [2]payload.Payload{
			payload.Attributes{Config: payload.ConfigRequest, Identifier: 0x1234, Attributes: []payload.Attribute{
				generic, text(payload.XAUTHUserName, ""), text(payload.XAUTHUserPassword, ""), text(payload.XAUTHMessage, "Who is there?"),
			}},
			payload.Attributes{Config: payload.ConfigReply, Identifier: 0x1234, Attributes: []payload.Attribute{
				generic, text(payload.XAUTHUserName, "ali"), text(payload.XAUTHUserPassword, "open sesame"),
			}},
		}, [2]string{"112233445566778899aabbccddeeff00081006015eed00010000005c1d67a6d6e87cec518ed184ce6c23035f2da26bb4d7550874a3f52f91e89eff719b9dac55" +
			"ab2ce54b4a25bc2703b632ea3119a09202a5ad6112035c397c013519", "112233445566778899aabbccddeeff00081006015eed00010000005c5037ed6c04ad711f2dfd4f7827808bb87c870ba1ae6a313726daeb8f49a78e91cd6125a0" +
			"f393b5a43c772c54a1fd911df1853e4c1cd7f8fe61f67e3ad27b82d5"}},
		{"mode config", payload.Transaction, 0x5eed0002, [2]payload.Payload{
			payload.Attributes{Config: payload.ConfigSet, Identifier: 7, Attributes: given.Attributes(nil)},
			payload.Attributes{Config: payload.ConfigAck, Identifier: 7, Attributes: taken},
		}, [2]string{"112233445566778899aabbccddeeff00081006015eed00020000009470f83dbb0170222c4554f00a37e7d510bc15fcb2b2e128363a9d183d5d96fec3998b67d5" +
			"5fb7914cf93193e982990a422021f4a064608a260fbc5131c907d58d1a01eaa51ea72ed3829e0a027eda25c5e0d50baef10b49a19ac075e9c2126418b08798e7" +
			"1064fb462f6c24bcf8402875a78889988feb1c18", "112233445566778899aabbccddeeff00081006015eed000200000064c2886e7710ab61e64a9aa70d2a20194fa49eea3f4f026c8e0dafde5d8c8a467aee76ba4e" +
			"54ca248bdb2eaf1c161dcaea09a3f1220eab3c6d865297f6cd59febde4ff9619ac4a4cfd"}},
		{"new group mode", payload.NewGroup, 0x5eed0003, [2]payload.Payload{ike.OfferNewGroup(group), ike.OfferNewGroup(group)}, [2]string{"112233445566778899aabbccddeeff00081021015eed0003000000c4b7b5652f8971be2d8a767a003aeea2c8eda5d5ccaf3cca7d2e973e314e4541fd73421d11" +
			"f629e0174087d68654fdcc2a1f15519a1d687d40161901372ad5156b8584fae08fd5ae9afff0bd2cf7e62b836b26bccc4ac160b8e6abd54b38d65694304188ef" +
			"f2f0ff55143696c5501f395be830ab64299197ccf69aacac2ad7daffecb75bcc8f12cdf3c6275cac774e8db03e1593a773736648c9bf8e8dbe025e87bf507549" +
			"f32d9445", "112233445566778899aabbccddeeff00081021015eed0003000000c490738405dad0fea5d333b33a8daff5ea85aed7e1d411a2fe8384a679068689b861958aa3" +
			"eb58d93f9072483c71a733fcdb362ddfd2b682ff3166c6847c333d18dbc1d417bdc6b57e2f60ed85f6dc96c762097521f2b1fb0df54f8c3ae6ad683c0ec4b1b8" +
			"2ecbc01a6bebe78ffe91bf6822c442a1a8bbc0bf07d0af6fcf78f3c7a297d7dcf4ed9310454b90456fd2396ceb1e636760e568017903fd761743a24e9af1a556" +
			"828d2f28"}},
	} {
		iv := sa.firstIV(row.mid)
		for i, p := range row.ps {
			var msg []byte
			msg, iv, _ = sa.hashed(row.exchange, row.mid, iv, sa.hash1(row.mid), p)
			require.Equal(t, row.want[i], hex.EncodeToString(msg), "%s, message %d", row.name, i+1)
		}
	}
	back, err := ike.ReadAssignment(given.Attributes(nil))
	require.NoError(t, err)
	require.Equal(t, given, back)
}

// remote is a client i and a gateway r with XAUTH, mode config and new groups, stopped where
// the gateway has been told nothing of a user yet.
func remote(t *testing.T) (i, r *side) {
	i, r = newSide(t, 1), newSide(t, 2)
	i.policy.Auth[0].XAuth = &ike.XAuth{User: ike.User{Name: "ali", Password: "open sesame"}}
	r.policy.Auth[0].XAuth = &ike.XAuth{Asks: true, Users: []ike.User{{Name: "ali", Password: "open sesame"}}}
	r.policy.ModeConfig = &ike.ModeConfig{Gives: &ike.Configuration{First: netip.MustParseAddr("10.9.0.10"), Last: netip.MustParseAddr("10.9.0.11")}}
	r.policy.NewGroups.Accept, r.policy.NewGroups.MinBits = true, 768
	beginWith(i, r)
	for range 2 {
		i.give(r.take())
		r.give(i.take())
	}
	i.give(r.take()) // message 6
	return i, r
}

// What the gateway makes of each first message in each state: the table of the package documentation.
func TestTransactionStates(t *testing.T) {
	group, err := suite.NewGroup(40000, suite.GroupNumbered(1).Prime(), big.NewInt(2))
	require.NoError(t, err)
	set := func(kind payload.ConfigType, as ...payload.Attribute) payload.Payload {
		return payload.Attributes{Config: kind, Identifier: 1, Attributes: as}
	}
	messages := []struct {
		name string
		x    payload.Exchange
		p    payload.Payload
	}{
		{"XAUTH request", payload.Transaction, set(payload.ConfigRequest, payload.Attribute{Type: payload.XAUTHUserName}, payload.Attribute{Type: payload.XAUTHUserPassword})},
		{"XAUTH status", payload.Transaction, set(payload.ConfigSet, payload.BasicAttribute(payload.XAUTHStatus, payload.XAUTHOK))},
		{"request for an address", payload.Transaction, set(payload.ConfigRequest, payload.Attribute{Type: payload.ConfigIP4Address})},
		{"address given", payload.Transaction, set(payload.ConfigSet, payload.Attribute{Type: payload.ConfigIP4Address, Value: []byte{10, 0, 0, 9}})},
		{"new group", payload.NewGroup, ike.OfferNewGroup(group)},
	}
	for _, row := range []struct {
		state string
		reach func(i, r *side)
		want  []string // by message
	}{
		{"during XAUTH", func(i, r *side) {}, []string{"XAUTH-STATUS", "ISAKMP_CFG_ACK", "ISAKMP_CFG_REPLY", "ISAKMP_CFG_ACK", "ATTRIBUTES-NOT-SUPPORTED"}},
		{"up", func(i, r *side) {
			for range 2 { // question and status
				i.give(r.take())
				r.give(i.take())
			}
			require.True(t, r.sa.Established() && i.sa.Established())
		}, []string{"XAUTH-STATUS", "ISAKMP_CFG_ACK", "INTERNAL_IP4_ADDRESS", "ISAKMP_CFG_ACK", "SA"}},
	} {
		for n, m := range messages {
			i, r := remote(t)
			row.reach(i, r)
			r.out, i.out = nil, nil
			before := r.sa.state
			b := i.forge(m.x, 0x99, m.p)
			r.give(b)
			answer := r.take()
			h, err := payload.ParseHeader(answer)
			require.NoError(t, err)
			require.Equal(t, m.x, h.Exchange)
			got := &message{Header: h, raw: answer}
			iv := b[len(b)-8:]
			require.NoError(t, got.authenticate(i.sa.keys, iv, i.sa.hash1(0x99)), "%s: %s", row.state, m.name)
			require.Contains(t, names(got.chain), row.want[n], "%s: %s", row.state, m.name)
			require.NotContains(t, names(got.chain), "XAUTH-USER-PASSWORD", "a gateway has no password to tell")
			require.Equal(t, before, r.sa.state)
			require.Empty(t, r.out)

			// A copy gets the answer again; the same message ID with other contents, nothing.
			r.give(b)
			require.Equal(t, answer, r.take())
			r.give(i.forge(m.x, 0x99, set(payload.ConfigRequest)))
			require.Empty(t, r.out)
		}
	}
}

// names are the attributes, notifications and payloads of an answer in words.
func names(chain []payload.Item) (all []string) {
	for _, item := range chain {
		switch p := item.Payload.(type) {
		case payload.Attributes:
			all = append(all, p.Config.String())
			for _, a := range p.Attributes {
				name, _ := payload.ConfigAttributeName(a)
				all = append(all, name)
			}
		case payload.Notify:
			all = append(all, p.NotifyType.String())
		case *payload.SA:
			all = append(all, "SA")
		}
	}
	return all
}

// Before XAUTH is over, quick modes are ignored, and so is what is not under the keys or in the right form.
func TestNothingBeforeXAUTH(t *testing.T) {
	i, r := remote(t)
	r.out = nil
	attributes := payload.Attributes{Config: payload.ConfigRequest, Identifier: 1}
	r.give(i.forge(payload.QuickMode, 0x77, i.offer(0), nonce()))
	require.Contains(t, r.note(), "quick mode before the end of main mode")
	clear := i.sa.clear(payload.Transaction, 0x78, attributes)
	r.give(clear)
	require.Contains(t, r.note(), "must be encrypted")
	altered := i.forge(payload.Transaction, 0x79, attributes)
	altered[len(altered)-1] ^= 1
	r.give(altered)
	require.Contains(t, r.note(), "ignored: transaction")
	r.give(i.forge(payload.Transaction, 0x7a, nonce()))
	require.Contains(t, r.note(), "without one Attributes payload")
	r.give(i.forge(payload.NewGroup, 0x7b, attributes))
	require.Contains(t, r.note(), "without one Security Association payload")
	require.Empty(t, r.out)
	require.False(t, r.sa.Established())
	require.False(t, r.sa.Usable(now))
}

// A user is found by name and password together.
func TestAdmits(t *testing.T) {
	x := &ike.XAuth{Asks: true, Users: []ike.User{{Name: "ali", Password: "open sesame"}, {Name: "cassim", Password: "open rye"}}}
	for _, row := range []struct {
		name, password string
		want           bool
	}{{"ali", "open sesame", true}, {"cassim", "open rye", true}, {"ali", "open rye", false}, {"ali", "", false}, {"", "", false}, {"Ali", "open sesame", false}, {"ali", "open sesame ", false}} {
		require.Equal(t, row.want, x.Admits([]byte(row.name), []byte(row.password)), row)
	}
}
