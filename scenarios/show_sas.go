package scenarios

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"time"

	"github.com/ipseclab/ipseclab/esp"
	"github.com/ipseclab/ipseclab/hosts/policy"
	"github.com/ipseclab/ipseclab/ike"
	"github.com/ipseclab/ipseclab/ike/mux"
	"github.com/ipseclab/ipseclab/internal/ipsec"
)

func role(initiator bool) string {
	if initiator {
		return "initiator"
	}
	return "responder"
}

func mainModes(infos []mux.MainModeInfo, now time.Time) *[]MainModeSA {
	all := []MainModeSA{}
	for _, m := range infos {
		v := MainModeSA{
			Local: m.Local.String(), Peer: m.Remote.String(), PeerID: m.PeerID, Role: role(m.Initiator), State: "negotiating",
			InitiatorCookie: hex.EncodeToString(m.Cookies.Initiator[:]), ResponderCookie: hex.EncodeToString(m.Cookies.Responder[:]),
			QuickModesBegun: m.QuickModes,
		}
		switch m.Method {
		case 0:
		case ike.PreSharedKey:
			v.Authentication = policy.AuthMethod{PreSharedKey: "-"}.String() // as the console of Windows spells it
		default:
			v.Authentication = m.Method.String()
		}
		if m.Chosen.Cipher != "" {
			v.Method = m.Chosen.String()
		}
		if v.User = m.User; m.Assigned != nil {
			v.InnerAddress, v.InnerAddressOf = m.Assigned.String(), "me"
			if m.Gave {
				v.InnerAddressOf = "peer"
			}
		}
		if m.Established {
			v.State, v.Age, v.Expires = "established", now.Sub(m.Since), m.Expires.Sub(now)
		}
		all = append(all, v)
	}
	return &all
}

// pairs joins the SAs of both directions that name each other, in the order in which
// the first of each came.
func pairs(sas []esp.SAInfo, now time.Time) []QuickModeSA {
	type key struct {
		protocol ipsec.Protocol
		peer     netip.AddrPort
		in, out  uint32
	}
	all := []QuickModeSA{}
	index := map[key]int{}
	used := map[key]uint64{} // bytes of the busier half
	for _, sa := range sas {
		k := key{sa.Protocol, netip.AddrPortFrom(sa.Dst, sa.UDP.Dst), sa.PeerSPI, sa.SPI}
		local, port, filter := sa.Src.String(), sa.UDP.Src, sa.Selector
		if sa.Direction == ipsec.Inbound {
			k = key{sa.Protocol, netip.AddrPortFrom(sa.Src, sa.UDP.Src), sa.SPI, sa.PeerSPI}
			local, port, filter = sa.Dst.String(), sa.UDP.Dst, sa.Selector.Reverse()
		}
		i, ok := index[k]
		if !ok {
			i = len(all)
			index[k] = i
			all = append(all, QuickModeSA{
				Local: local, Peer: k.peer.Addr().String(), LocalPort: port, PeerPort: k.peer.Port(), Protocol: sa.Protocol.String(), Mode: sa.Mode.String(), Filter: filter.String(), Rule: sa.Rule,
				Transform: sa.Transform.String(), Role: role(sa.Initiator), Age: now.Sub(sa.Added),
			})
			if !sa.Expires.IsZero() {
				all[i].Expires = sa.Expires.Sub(now)
			}
		}
		v := &all[i]
		carried := Carried{sa.Packets, sa.Bytes}
		if sa.Direction == ipsec.Inbound {
			v.InboundSPI, v.Received, v.InboundRule = spiText(sa.SPI), carried, sa.Rule
			if sa.Inner != 0 {
				v.Around = spiText(sa.Inner)
			}
		} else {
			v.OutboundSPI, v.Sent, v.Replaced = spiText(sa.SPI), carried, sa.Replaced
			v.Filter, v.Rule = filter.String(), sa.Rule
		}
		used[k] = max(used[k], sa.Bytes)
		if limit := sa.Lifetime.Kilobytes; limit > 0 {
			left := limit - min(limit, used[k]/1024)
			v.Kilobytes = &left
		}
	}
	for i := range all {
		if v := &all[i]; v.InboundRule == v.Rule {
			v.InboundRule = ""
		}
	}
	return all
}

func spiText(spi uint32) string { return fmt.Sprintf("0x%08x", spi) }

func softs(infos []esp.SoftInfo, now time.Time) []SoftSA {
	all := []SoftSA{}
	for _, s := range infos {
		all = append(all, SoftSA{s.Local.String(), s.Peer.String(), now.Sub(s.Added), s.Expires.Sub(now), s.Packets})
	}
	return all
}
