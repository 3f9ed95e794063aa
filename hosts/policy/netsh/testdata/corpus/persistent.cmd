rem Source: the reference of set store, and its text on persistent policies of Windows Server 2003. Names are others.
netsh ipsec static set store location=persistent
netsh ipsec static add filteraction name=Block action=block
netsh ipsec static add filteraction name=Permit action=permit
netsh ipsec static add filter filterlist=Everything srcaddr=any dstaddr=me
netsh ipsec static add filter filterlist=Administrators srcaddr=10.70.0.9 dstaddr=me protocol=tcp dstport=3389
netsh ipsec static add policy name=Startup activatedefaultrule=no
netsh ipsec static add rule name=Shut policy=Startup filterlist=Everything filteraction=Block
netsh ipsec static add rule name=Door policy=Startup filterlist=Administrators filteraction=Permit
netsh ipsec static set policy name=Startup assign=yes
netsh ipsec static set store location=local
netsh ipsec static show store
