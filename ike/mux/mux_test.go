package mux_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/internal/ipsec"
	"github.com/ipseclab/ipseclab/internal/suite"
	"github.com/ipseclab/ipseclab/internal/trace"
)

func TestFirstPair(t *testing.T) {
	n, a, b := newPair(t)
	id := a.requestFor(b, ipsec.Selector{Src: ipsec.Host(a.addr), Dst: ipsec.Host(b.addr), Proto: ipsec.ProtoTCP, DstPort: 1433})
	n.run(time.Second)

	n.wantPairs("one request makes one pair", 1)
	require.Equal(t, []string{"main mode 1", "main mode 3", "main mode 5", "quick mode 1", "quick mode 3"}, a.messages(true))
	require.Equal(t, []string{"main mode 2", "main mode 4", "main mode 6", "quick mode 2"}, b.messages(true))
	require.Equal(t, b.messages(true), a.messages(false), "a reads what b sent")
	require.Equal(t, a.messages(true), b.messages(false), "b reads what a sent")
	want := []string{"main mode started", "main mode established", "quick mode started", "quick mode established"}
	require.Equal(t, want, a.negotiations())
	require.Equal(t, want, b.negotiations())

	for _, h := range []*host{a, b} {
		g := traced[trace.Negotiation](h)
		require.Equal(t, "3des-cbc/sha1/2", g[1].Chosen)
		require.Equal(t, "ESP[3des-cbc,hmac-sha1-96]:3600s/100000kB", g[3].Chosen)
		require.Len(t, traced[trace.IKEKeys](h), 1, "the cipher key is traced once")
	}
	require.Equal(t, traced[trace.IKEKeys](a), traced[trace.IKEKeys](b))

	require.Len(t, n.sent, 9)
	for _, sa := range a.out {
		require.Equal(t, ipsec.Selector{Src: ipsec.Host(a.addr), Dst: ipsec.Host(b.addr), Proto: ipsec.ProtoTCP, DstPort: 1433}, sa.Selector)
		require.Equal(t, ipsec.Lifetime{Duration: time.Hour, Kilobytes: 100000}, sa.Lifetime)
		require.Equal(t, "test/a", sa.Rule)
		require.Equal(t, 7, sa.PolicyID)
		require.True(t, sa.Initiator)
	}
	for _, sa := range b.in {
		require.Equal(t, "test/b", sa.Rule)
	}
	require.Equal(t, 1, count[ike.EventSAs](a))
	for _, e := range a.events {
		if e, ok := e.(ike.EventSAs); ok {
			require.Equal(t, id, e.RequestID)
		}
	}
	require.Equal(t, 1, len(a.mux.MainModes()))
	require.Equal(t, a.mux.MainModes()[0].Cookies, b.mux.MainModes()[0].Cookies)
	require.Equal(t, n.start.Add(8*time.Hour+5*n.latency), b.mux.MainModes()[0].Expires, "message 5 ends the main mode at b")
}

func TestDecodedMessages(t *testing.T) {
	n, a, b := newPair(t)
	a.config.VendorIDs = [][]byte{{0x1e, 0x2b, 0x51, 0x69, 0x05, 0x99, 0x1c, 0x7d, 0x7c, 0x96, 0xfc, 0xbf, 0xb5, 0x87, 0xe4, 0x61, 0, 0, 0, 4}, {1, 2, 3}}
	a.reboot()
	a.request(b)
	n.run(time.Second)
	var got []trace.IKEMessage
	for _, m := range traced[trace.IKEMessage](b) {
		if !m.Sent {
			got = append(got, m)
		}
	}
	transform := []string{"Security Association", "Proposal 1", "Transform 1"}
	require.Equal(t, "KEY_IKE", field(got[0].Payloads, transform...))
	for name, value := range map[string]string{
		"Encryption Algorithm": "3DES-CBC", "Hash Algorithm": "SHA", "Group Description": "alternate 1024-bit MODP group",
		"Authentication Method": "pre-shared key", "Life Type": "seconds", "Life Duration": "28800",
	} {
		require.Equal(t, value, field(got[0].Payloads, append(transform, name)...), name)
	}
	require.Equal(t, "MS NT5 ISAKMPOAKLEY 4", got[0].Payloads[1].Value)
	require.Equal(t, "unknown", got[0].Payloads[2].Value)
	require.Equal(t, "10.0.0.1", field(got[2].Payloads, "Identification"), "message 5 is shown decrypted")
	require.Equal(t, "INITIAL-CONTACT", field(got[2].Payloads, "Notification"))
	require.Equal(t, "ESP_3DES", field(got[3].Payloads, transform...))
	require.Equal(t, "HMAC-SHA", field(got[3].Payloads, append(transform, "Authentication Algorithm")...))
	require.Equal(t, "Transport", field(got[3].Payloads, append(transform, "Encapsulation Mode")...))
	require.True(t, got[3].Encrypted)
	require.NotEqual(t, uint32(0), got[3].MessageID)
}

// Every combination of main mode algorithms.
func TestMainModeAlgorithms(t *testing.T) {
	for _, cipher := range []string{"des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
		for _, hash := range []string{"md5", "sha1", "sha256", "sha384", "sha512"} {
			for _, group := range []uint16{1, 2} {
				p := ike.MainModeProposal{Cipher: cipher, Hash: hash, Group: group}
				t.Run(p.String(), func(t *testing.T) {
					n, a, b := newPair(t)
					a.mainMode.Proposals = []ike.MainModeProposal{p}
					b.mainMode.Proposals = []ike.MainModeProposal{p}
					a.request(b)
					n.run(time.Second)
					n.wantPairs("a pair under "+p.String(), 1)
				})
			}
		}
	}
}

// Each group, in both phases.
func TestGroups(t *testing.T) {
	for _, group := range []uint16{1, 2, 5, 14, 15, 16, 17, 18} {
		if testing.Short() && group > 16 {
			continue
		}
		n, a, b := newPair(t)
		for _, h := range n.hosts {
			h.mainMode.Proposals[0].Group = group
			h.quickMode.PFS = true
		}
		a.request(b)
		n.run(time.Second)
		n.wantPairs("a pair", 1)
		require.Contains(t, traced[trace.Negotiation](b)[3].Chosen, fmt.Sprintf("pfs group %d", group))
	}
}

// The transforms of phase 2, and what must come out of each as keys.
func transforms() (esp, ah []ipsec.Transform) {
	auths := []string{"hmac-md5-96", "hmac-sha1-96", "hmac-sha256-128", "hmac-sha384-192", "hmac-sha512-256"}
	for _, auth := range auths {
		for _, cipher := range []string{"null", "des-cbc", "3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"} {
			esp = append(esp, ipsec.Transform{Protocol: ipsec.ESP, Cipher: cipher, Auth: auth})
		}
		ah = append(ah, ipsec.Transform{Protocol: ipsec.AH, Auth: auth})
	}
	for _, cipher := range []string{"aes128-gcm16", "aes192-gcm16", "aes256-gcm16", "3des-cbc"} {
		esp = append(esp, ipsec.Transform{Protocol: ipsec.ESP, Cipher: cipher})
	}
	return esp, ah
}

// Every transform of phase 2, alone and ESP inside AH, with and without PFS.
func TestQuickModeTransforms(t *testing.T) {
	esp, ah := transforms()
	var all [][]ipsec.Transform
	for i, tr := range esp {
		all = append(all, []ipsec.Transform{tr}, []ipsec.Transform{tr, ah[i%len(ah)]})
	}
	for _, tr := range ah {
		all = append(all, []ipsec.Transform{tr})
	}
	for i, trs := range all {
		p := ipsec.Proposal{Transforms: trs, Lifetime: ipsec.Lifetime{Duration: time.Hour}, Mode: ipsec.Transport}
		t.Run(p.String(), func(t *testing.T) {
			n, a, b := newPair(t)
			group := []uint16{0, 0, 1, 2}[i%4]
			q := ike.QuickMode{Proposals: []ipsec.Proposal{p}, PFS: group != 0, PFSGroup: group}
			a.quickMode, b.quickMode = q, q
			a.request(b)
			n.run(time.Second)
			n.wantPairs("a pair for each protocol", len(trs))
			for id, sa := range b.out {
				tr := trs[0]
				if id.protocol != tr.Protocol {
					tr = trs[1]
				}
				require.Equal(t, tr, sa.Transform)
				wantKeys(t, sa)
			}
			chosen := traced[trace.Negotiation](b)[3].Chosen
			if group != 0 {
				require.Contains(t, chosen, fmt.Sprintf("pfs group %d", group))
			} else {
				require.NotContains(t, chosen, "pfs")
			}
		})
	}
}

// wantKeys expects keys of the lengths that the SA's algorithms take, and none where there is no algorithm.
func wantKeys(t *testing.T, sa ipsec.SAParams) {
	cipher, auth := 0, 0
	if c := suite.CipherNamed(sa.Transform.Cipher); c != nil {
		cipher = c.KeyLen + c.SaltLen
	}
	if a := suite.AuthNamed(sa.Transform.Auth); a != nil {
		auth = a.KeyLen
	}
	require.Len(t, sa.CipherKey, cipher, "%v", sa.Transform)
	require.Len(t, sa.AuthKey, auth, "%v", sa.Transform)
	require.Equal(t, cipher == 0, sa.CipherKey == nil)
	require.Equal(t, auth == 0, sa.AuthKey == nil)
}

// PFS without a group of its own uses that of the main mode.
func TestPFSGroupOfMainMode(t *testing.T) {
	n, a, b := newPair(t)
	for _, h := range n.hosts {
		h.mainMode.Proposals[0].Group = 14
		h.quickMode.PFS = true
	}
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a pair", 1)
	require.Contains(t, traced[trace.Negotiation](b)[3].Chosen, "pfs group 14")
}

// Of the proposals that both sides have, the initiator's first is taken, or the responder's, in both phases.
func TestWhosePreferenceDecides(t *testing.T) {
	strong, weak := ike.MainModeProposal{Cipher: "aes256-cbc", Hash: "sha256", Group: 14}, ike.MainModeProposal{Cipher: "3des-cbc", Hash: "sha1", Group: 2}
	other := ike.MainModeProposal{Cipher: "aes128-cbc", Hash: "sha1", Group: 5}
	gcm := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-gcm16"}
	aes := ipsec.Transform{Protocol: ipsec.ESP, Cipher: "aes128-cbc", Auth: "hmac-sha1-96"}
	for _, row := range []struct {
		by       ike.Preference
		mainMode ike.MainModeProposal
		cipher   string
	}{
		{ike.InitiatorsOrder, weak, "3des-cbc"},
		{ike.ResponderOrder, strong, "aes128-gcm16"},
	} {
		n, a, b := newPair(t)
		a.mainMode.Proposals = []ike.MainModeProposal{other, weak, strong}
		b.mainMode.Proposals = []ike.MainModeProposal{strong, weak}
		a.quickMode.Proposals = []ipsec.Proposal{proposal(aes), bundled(), proposal(des3), proposal(gcm)}
		b.quickMode.Proposals = []ipsec.Proposal{proposal(gcm), proposal(des3)}
		b.config.Preference = row.by
		b.reboot()
		a.request(b)
		n.run(time.Second)
		n.wantPairs("a pair", 1)
		g := traced[trace.Negotiation](b)
		require.Equal(t, row.mainMode.String(), g[1].Chosen)
		require.Contains(t, g[3].Chosen, row.cipher)
	}
}

// Requests made while the main mode is under way wait for it; later ones reuse it.
func TestRequestsShareAMainMode(t *testing.T) {
	n, a, b := newPair(t)
	for range 5 {
		a.request(b)
	}
	n.run(time.Second)
	b.request(a)
	n.run(2 * time.Second)
	n.wantPairs("each request gets its pair, in both directions under one main mode", 6)
	require.Equal(t, 1, count[ike.EventMainMode](a))
	require.Equal(t, 1, count[ike.EventMainMode](b))
	require.Equal(t, 6, a.mux.MainModes()[0].QuickModes)
}

func TestRekey(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	var old said
	for id := range a.in {
		old = id
	}
	a.mux.Request(n.now, ike.Request{ID: 9, Local: a.addr, Remote: b.addr, Selector: ipsec.Selector{Src: ipsec.Host(a.addr), Dst: ipsec.Host(b.addr)}, QuickMode: a.quickMode, Replaces: old.spi})
	a.drain()
	n.run(2 * time.Second)
	n.wantPairs("the old pair and the new one", 2)
	last := a.events[len(a.events)-1].(ike.EventSAs)
	require.Equal(t, old.spi, last.Replaces)
	require.NotEqual(t, a.in[old].CipherKey, last.In[0].CipherKey, "the new pair has new keys")

	a.mux.DeleteSAs(n.now, b.addr, ipsec.ESP, []uint32{old.spi})
	delete(a.out, said{ipsec.ESP, a.in[old].PeerSPI})
	delete(a.in, old)
	delete(a.allocated, old)
	a.drain()
	n.run(3 * time.Second)
	n.wantPairs("the Delete removes the old pair at the peer", 1)
	require.Equal(t, 1, count[ike.EventDeleteSAs](b))
}

func TestDeletedSAsOfOthersStay(t *testing.T) {
	n, a, b := newPair(t)
	a.request(b)
	n.run(time.Second)
	a.mux.DeleteSAs(n.now, b.addr, ipsec.ESP, []uint32{0xdeadbeef})
	a.mux.DeleteSAs(n.now, b.addr, ipsec.AH, []uint32{a.firstSPI + 1})
	a.drain()
	n.run(2 * time.Second)
	n.wantPairs("SPIs that were never negotiated delete nothing", 1)
	require.Equal(t, 0, count[ike.EventDeleteSAs](b))
}

// Tunnel mode names the networks behind the peers; the selectors travel as subnets.
func TestTunnelMode(t *testing.T) {
	n, a, b := newPair(t)
	for _, h := range n.hosts {
		h.quickMode.Proposals[0].Mode = ipsec.Tunnel
	}
	s := ipsec.Selector{Src: netip.MustParsePrefix("10.1.0.0/16"), Dst: netip.MustParsePrefix("10.2.0.0/16"), Proto: ipsec.ProtoUDP, DstPort: 53}
	a.requestFor(b, s)
	n.run(time.Second)
	n.wantPairs("a pair", 1)
	for _, sa := range b.in {
		require.Equal(t, s, sa.Selector)
		require.Equal(t, ipsec.Tunnel, sa.Mode)
	}
	a.requestFor(b, ipsec.Selector{})
	n.run(2 * time.Second)
	n.wantPairs("any address is the subnet of all", 2)
	require.Equal(t, "0.0.0.0/0.0.0.0", field(last(b, "quick mode", 1).Payloads, "Identification"))

	// The networks behind the peers need not be of the peers' family.
	s = ipsec.Selector{Dst: netip.MustParsePrefix("2001:db8:2::/48")}
	a.requestFor(b, s)
	n.run(3 * time.Second)
	n.wantPairs("IPv6 in IPv4", 3)
	require.Equal(t, "::/::", field(last(b, "quick mode", 1).Payloads, "Identification"))
	whole := 0
	for _, sa := range b.in {
		if sa.Selector.Dst == s.Dst {
			require.Equal(t, netip.MustParsePrefix("::/0"), sa.Selector.Src)
			require.Equal(t, a.addr, sa.Src)
			whole++
		}
	}
	require.Equal(t, 1, whole)
}

func TestIPv6(t *testing.T) {
	n := newNetwork(t)
	a, b := n.add("a", "2001:db8::1", 1), n.add("b", "2001:db8::2", 2)
	a.request(b)
	n.run(time.Second)
	n.wantPairs("a pair", 1)
	require.Equal(t, "2001:db8::1", field(last(b, "main mode", 5).Payloads, "Identification"))
}

// last is the latest message that h received of an exchange.
func last(h *host, exchange string, number int) (found trace.IKEMessage) {
	for _, m := range traced[trace.IKEMessage](h) {
		if !m.Sent && m.Exchange == exchange && m.Number == number {
			found = m
		}
	}
	return found
}
