@echo off
rem Source: the task of KB813878, how to block specific network protocols and ports, with the commands of the reference.
setlocal
echo Blocking the ports of a worm
netsh ipsec static add policy name="Packet Filters" description="Ports that a worm uses" activatedefaultrule=no >nul
netsh ipsec static add filterlist name="Worm ports" >nul 2>&1
netsh ipsec static add filter filterlist="Worm ports" srcaddr=any dstaddr=me protocol=TCP srcport=0 dstport=135
netsh ipsec static add filter filterlist="Worm ports" srcaddr=any dstaddr=me protocol=UDP srcport=0 dstport=135
netsh ipsec static add filter filterlist="Worm ports" srcaddr=any dstaddr=me protocol=TCP srcport=0 dstport=445
netsh ipsec static add filter filterlist="Worm ports" srcaddr=me dstaddr=any protocol=UDP srcport=0 dstport=69
netsh ipsec static add filter filterlist="Worm ports" srcaddr=any dstaddr=me protocol=TCP srcport=0 dstport=135
netsh ipsec static add filteraction name="Block" action=block
netsh ipsec static add rule name="Worm" policy="Packet Filters" filterlist="Worm ports" filteraction="Block"
netsh ipsec static set policy name="Packet Filters" assign=y
pause
