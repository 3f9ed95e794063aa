@rem Source: the task of "Scripting IPSec Policies" (itprotoday.com), a web server that is closed but for its ports, with
@rem the commands of the reference. A line is continued as in any batch file.
@netsh ipsec static delete all
@netsh ipsec static add filteraction name="Permit" action=permit
@netsh ipsec static add filteraction name="Block" action=block
@netsh ipsec static add filterlist name="All traffic"
@netsh ipsec static add filter filterlist="All traffic" srcaddr=me dstaddr=any description="me to any" ^
  protocol=any ^
  mirrored=yes
@netsh ipsec static add filterlist name="Web"
@netsh ipsec static add filter filterlist="Web" srcaddr=any dstaddr=me protocol=TCP dstport=80
@netsh ipsec static add filter filterlist="Web" srcaddr=any dstaddr=me protocol=TCP dstport=443
@netsh ipsec static add filterlist name="Name servers"
@netsh ipsec static add filter filterlist="Name servers" srcaddr=me dstaddr=dns protocol=UDP dstport=53
@netsh ipsec static add filterlist name="Terminal services"
@netsh ipsec static add filter filterlist="Terminal services" srcaddr=10.30.0.0 srcmask=255.255.255.0 dstaddr=me protocol=TCP dstport=3389
@netsh ipsec static add policy name="Web server lockdown" activatedefaultrule=no assign=no
@netsh ipsec static add rule name="Block all" policy="Web server lockdown" filterlist="All traffic" filteraction="Block"
@netsh ipsec static add rule name="Web" policy="Web server lockdown" filterlist="Web" filteraction="Permit"
@netsh ipsec static add rule name="DNS" policy="Web server lockdown" filterlist="Name servers" filteraction="Permit"
@netsh ipsec static add rule name="Administrators" policy="Web server lockdown" filterlist="Terminal services" filteraction="Permit"
@netsh ipsec static set policy name="Web server lockdown" assign=yes
