//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
)

// XFRM lists the kernel's SAs with their keys. An SPI that is only reserved is no SA.
func (a *agent) XFRM(context.Context) ([]control.State, error) {
	states, err := netlink.XfrmStateList(netlink.FAMILY_ALL)
	if err != nil {
		if noXFRM(err) {
			return nil, control.Errorf(control.Unsupported, "the kernel has no XFRM: %v", err)
		}
		return nil, fmt.Errorf("listing the kernel's SAs: %w", err)
	}
	extended, err := extendedNumbers()
	if err != nil {
		return nil, err
	}
	all := []control.State{}
	for i := range states {
		s := &states[i]
		if s.Auth == nil && s.Crypt == nil && s.Aead == nil && s.Proto != netlink.XFRM_PROTO_COMP {
			continue
		}
		c := state(s)
		var there bool
		if c.ESN, there = extended[stateID{c.Dst, c.Protocol, c.SPI}]; !there {
			continue // gone since
		}
		all = append(all, c)
	}
	return all, nil
}

// stateID identifies an SA in the kernel, RFC 4301, Section 4.1.
type stateID struct {
	dst      netip.Addr
	protocol uint8
	spi      uint32
}

// extendedNumbers says of all states whether they have extended sequence numbers, which the netlink package does not read.
func extendedNumbers() (map[stateID]bool, error) {
	messages, err := nl.NewNetlinkRequest(nl.XFRM_MSG_GETSA, unix.NLM_F_DUMP).Execute(unix.NETLINK_XFRM, nl.XFRM_MSG_NEWSA)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("listing flags of the kernel's SAs: %w", err)
	}
	all := map[stateID]bool{}
	for _, m := range messages {
		if len(m) < nl.SizeofXfrmUsersaInfo {
			continue
		}
		about := nl.DeserializeXfrmUsersaInfo(m)
		all[stateID{address(about.Id.Daddr.ToIP()), about.Id.Proto, nl.Swap32(about.Id.Spi)}] = about.Flags&nl.XFRM_STATE_ESN != 0
	}
	return all, nil
}

func state(s *netlink.XfrmState) control.State {
	c := control.State{
		Src: address(s.Src), Dst: address(s.Dst), Protocol: uint8(s.Proto), SPI: uint32(s.Spi), Mode: s.Mode.String(), ReqID: s.Reqid,
		Packets: s.Statistics.Packets, Bytes: s.Statistics.Bytes,
	}
	// The largest value says that there is no limit: XFRM_INF.
	if hard := s.Limits.TimeHard; hard != ^uint64(0) {
		c.Seconds = hard
	}
	if k := s.Crypt; k != nil {
		c.Cipher, c.CipherKey = k.Name, k.Key
	}
	if k := s.Aead; k != nil {
		c.Cipher, c.CipherKey, c.ICVBits = k.Name, k.Key, k.ICVLen
	}
	if k := s.Auth; k != nil {
		c.Auth, c.AuthKey, c.ICVBits = k.Name, k.Key, k.TruncateLen
	}
	if e := s.Encap; e != nil {
		c.EncapSrc, c.EncapDst = uint16(e.SrcPort), uint16(e.DstPort)
	}
	return c
}

func address(ip net.IP) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// flushXFRM takes away all SAs and policies. A kernel without has none.
func flushXFRM() error {
	err := netlink.XfrmStateFlush(0)
	if err == nil {
		err = netlink.XfrmPolicyFlush()
	}
	if err == nil || noXFRM(err) || errors.Is(err, unix.ESRCH) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return fmt.Errorf("flushing SAs and policies: %w", err)
}

// noXFRM reports whether an error says that the kernel lacks the whole of it.
func noXFRM(err error) bool {
	return errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.ECONNREFUSED)
}
