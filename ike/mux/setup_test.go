package mux_test

import (
	"net/netip"
	"strings"
	"time"

	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/payload"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

// setup is how two hosts negotiate.
type setup struct {
	aggressive bool
	method     ike.AuthMethod
	real       bool // keys and certificates; else on paper
	asks       bool // for certificates of an authority
	pfs        bool
	bundle     bool // AH around ESP
	commit     bool
	fragments  ike.FragmentForm
	reliable   bool             // Deletes that are acknowledged
	dpd        bool             // dead peer detection, while the story lasts
	dos        bool             // the responder wants a cookie back first
	silent     bool             // responders repeat nothing by themselves
	dialect    ike.NATDialect   // of NAT traversal; 0: none
	where      ike.NATPlacement // with dialect
}

func (s setup) String() string {
	parts := []string{"main mode"}
	if s.aggressive {
		parts[0] = "aggressive mode"
	}
	parts = append(parts, s.method.String())
	for _, option := range []struct {
		is   bool
		name string
	}{
		{s.real, "real keys"}, {s.asks, "requests"}, {s.pfs, "PFS"}, {s.bundle, "AH and ESP"}, {s.commit, "commit bit"}, {s.fragments == ike.WindowsFragments, "fragments of Windows"},
		{s.fragments == ike.CiscoFragments, "fragments of Cisco"}, {s.reliable, "reliable Deletes"}, {s.dpd, "DPD"}, {s.dos, "DoS cookie"}, {s.silent, "silent responder"},
	} {
		if option.is {
			parts = append(parts, option.name)
		}
	}
	if s.dialect != 0 {
		parts = append(parts, s.dialect.String(), s.where.String())
	}
	return strings.Join(parts, ", ")
}

// place puts the NATs before the hosts of a network.
func (s setup) place(n *network, a, b *host) {
	if s.where.Initiator {
		n.newBox("198.51.100.10", a)
	}
	if s.where.Responder {
		n.newBox("198.51.100.20", b).publish(b, 500, 4500)
	}
}

var methods = []ike.AuthMethod{ike.PreSharedKey, ike.RSASignature, ike.DSSSignature, ike.RSAEncryption, ike.RevisedRSAEncryption}

// phase1 is how many messages phase 1 has.
func (s setup) phase1() int {
	n := 6
	if s.aggressive {
		n = 3
	}
	if s.dos {
		n += 2
	}
	return n
}

// authenticate gives the hosts of a network what the method takes.
func (n *network) authenticate(method ike.AuthMethod, real, asks bool) {
	peers := map[netip.Addr]string{}
	for _, h := range n.hosts {
		peers[h.addr] = h.name
	}
	for _, b := range n.boxes {
		for _, h := range b.hosts {
			for _, a := range b.addresses() {
				peers[a] = h.name
			}
		}
	}
	o := paperOffice()
	if real {
		o = realOffice()
	}
	for _, h := range n.hosts {
		h.auth = nil
		if method != ike.PreSharedKey {
			h.wallet = &wallet{office: o, host: h.name, authority: goodAuthority, asks: asks, peers: peers}
			h.auth = []ike.Auth{{Method: method, Certificates: h.wallet}}
		}
	}
}

// apply makes the hosts so.
func (s setup) apply(n *network) {
	n.authenticate(s.method, s.real, s.asks)
	for _, h := range n.hosts {
		h.firstSPI = uint32(h.addr.AsSlice()[3]) << 24
		h.mainMode.Proposals = []ike.MainModeProposal{{Cipher: "3des-cbc", Hash: "sha1", Group: 1}}
		h.mainMode.Aggressive = s.aggressive
		h.quickMode.PFS = s.pfs
		p := proposal(des3)
		if s.bundle {
			p = bundled()
		}
		h.quickMode.Proposals = []ipsec.Proposal{p}
		h.config.Trace = nil
		h.config.Commit, h.config.SilentResponder, h.config.DoSProtection = s.commit, s.silent, s.dos
		h.config.Fragmentation = ike.Fragmentation{Form: s.fragments, Size: 360, Aggressive: true}
		if s.fragments != ike.NoFragments && s.method == ike.PreSharedKey {
			h.mainMode.Identity = ike.Identity{Type: payload.IDFQDN, Data: []byte(strings.Repeat(h.name, 500))}
		}
		h.config.VendorIDs = [][]byte{microsoft2003}
		if s.dialect != 0 {
			h.config.NAT = anywhere(s.dialect)
		}
		h.config.ReliableDelete.Enabled = s.reliable
		h.config.DPD = ike.DPD{Enabled: s.dpd, Idle: 2 * time.Minute}
		h.config.Traffic = func(netip.AddrPort) (in, out time.Time) {
			if n.now.Before(n.start.Add(theEnd)) {
				out = n.now // nothing comes, so that the peer is asked
			}
			return in, out
		}
		h.reboot()
	}
}
