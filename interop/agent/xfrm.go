//go:build linux

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
)

// XFRM lists the kernel's SAs with their keys. An SPI that is only reserved is no SA.
func (a *agent) XFRM(context.Context) ([]control.State, int, error) {
	states, err := netlink.XfrmStateList(netlink.FAMILY_ALL)
	if err != nil {
		if noXFRM(err) {
			return nil, 0, control.Errorf(control.Unsupported, "the kernel has no XFRM: %v", err)
		}
		return nil, 0, fmt.Errorf("listing the kernel's SAs: %w", err)
	}
	replay, err := replayOfStates()
	if err != nil {
		return nil, 0, err
	}
	all := []control.State{}
	for i := range states {
		s := &states[i]
		if s.Auth == nil && s.Crypt == nil && s.Aead == nil && s.Proto != netlink.XFRM_PROTO_COMP {
			continue
		}
		c := state(s)
		r, there := replay[stateID{c.Dst, c.Protocol, c.SPI}]
		if !there {
			continue // gone since
		}
		if c.ESN = r.esn; r.window != 0 {
			c.Window = r.window
		}
		all = append(all, c)
	}
	policies, err := netlink.XfrmPolicyList(netlink.FAMILY_ALL)
	if err != nil {
		return nil, 0, fmt.Errorf("listing the kernel's policies: %w", err)
	}
	count := 0
	for i := range policies {
		if policies[i].Dir <= netlink.XFRM_DIR_FWD { // those of single sockets follow
			count++
		}
	}
	return all, count, nil
}

// stateID identifies an SA in the kernel, RFC 4301, Section 4.1.
type stateID struct {
	dst      netip.Addr
	protocol uint8
	spi      uint32
}

// replayState is what the netlink package does not read of a state.
type replayState struct {
	esn    bool
	window int // where it is in the attribute for longer ones; 0: it is not
}

// replayOfStates reads flags and replay windows of all states.
func replayOfStates() (map[stateID]replayState, error) {
	messages, err := nl.NewNetlinkRequest(nl.XFRM_MSG_GETSA, unix.NLM_F_DUMP).Execute(unix.NETLINK_XFRM, nl.XFRM_MSG_NEWSA)
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) {
		return nil, fmt.Errorf("listing replay windows of the kernel's SAs: %w", err)
	}
	all := map[stateID]replayState{}
	for _, m := range messages {
		if len(m) < nl.SizeofXfrmUsersaInfo {
			continue
		}
		about := nl.DeserializeXfrmUsersaInfo(m)
		id := stateID{address(about.Id.Daddr.ToIP()), about.Id.Proto, nl.Swap32(about.Id.Spi)}
		r := replayState{esn: about.Flags&nl.XFRM_STATE_ESN != 0}
		attributes, err := nl.ParseRouteAttr(m[nl.SizeofXfrmUsersaInfo:])
		if err != nil {
			return nil, fmt.Errorf("reading an SA of the kernel: %w", err)
		}
		for _, a := range attributes {
			// struct xfrm_replay_state_esn of linux/xfrm.h: the sixth of its 32-bit numbers.
			if a.Attr.Type == nl.XFRMA_REPLAY_ESN_VAL && len(a.Value) >= 24 {
				r.window = int(binary.NativeEndian.Uint32(a.Value[20:]))
			}
		}
		all[id] = r
	}
	return all, nil
}

func state(s *netlink.XfrmState) control.State {
	c := control.State{
		Src: address(s.Src), Dst: address(s.Dst), Protocol: uint8(s.Proto), SPI: uint32(s.Spi), Mode: s.Mode.String(), ReqID: s.Reqid,
		Window:  s.ReplayWindow,
		Packets: s.Statistics.Packets, Bytes: s.Statistics.Bytes, Added: time.Unix(int64(s.Statistics.AddTime), 0).UTC(),
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
