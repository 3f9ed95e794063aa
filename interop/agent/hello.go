//go:build linux

package main

import (
	"context"
	"net"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/ipseclab/ipseclab/interop/control"
)

// Hello says what the peer is and can. That the kernel has ESP and AH is tried.
func (a *agent) Hello(context.Context) (*control.Welcome, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return nil, err
	}
	return &control.Welcome{
		Version: control.Version,
		Kernel:  unix.ByteSliceToString(name.Release[:]),
		Clock:   a.modules != nil,
		ESP:     hasProtocol(netlink.XFRM_PROTO_ESP),
		AH:      hasProtocol(netlink.XFRM_PROTO_AH),
	}, nil
}

// hasProtocol tries whether the kernel takes an SA of a protocol. The addresses are
// for documentation, RFC 5737.
func hasProtocol(p netlink.Proto) bool {
	sa := &netlink.XfrmState{
		Src: net.IPv4(192, 0, 2, 1), Dst: net.IPv4(192, 0, 2, 2), Proto: p, Mode: netlink.XFRM_MODE_TRANSPORT, Spi: 0x100,
		Auth: &netlink.XfrmStateAlgo{Name: "hmac(sha1)", Key: make([]byte, 20)},
	}
	if p == netlink.XFRM_PROTO_ESP {
		sa.Crypt = &netlink.XfrmStateAlgo{Name: "cbc(aes)", Key: make([]byte, 16)}
	}
	if netlink.XfrmStateAdd(sa) != nil {
		return false
	}
	netlink.XfrmStateDel(sa)
	return true
}
