rem Source: MicrosoftDocs/windowsserverdocs, netsh ipsec, section Examples. Names and addresses are others; the
rem forms of the methods are those of the page, which are not those that its own remarks describe.
netsh ipsec static add filter filterlist=ShopTraffic srcaddr=10.20.1.10 dstaddr=10.20.1.20 protocol=TCP srcport=80 dstport=80 description="Shop front" mirrored=yes
netsh ipsec static add filteraction name=LetPass description="Passes without negotiation" qmpfs=no inpass=yes soft=no action=permit
netsh ipsec static add filterlist name=ShopFilters description="Filters of the shop"
netsh ipsec static add policy name=ShopPolicy description="What the shop may" mmpfs=yes qmpermm=50 mmlifetime=28800 activatedefaultrule=no pollinginterval=600 assign=yes mmsecmethods="3DES-SHA1 DHGroup2;AES128-SHA256 DHGroup14"
netsh ipsec static add policy name=ShopPolicy description="What the shop may" mmpfs=yes qmpermm=50 mmlifetime=480 activatedefaultrule=no pollinginterval=600 assign=yes mmsecmethods="3DES-SHA1-2"
netsh ipsec static add rule name=ShopRule policy=ShopPolicy filterlist=ShopTraffic filteraction=LetPass conntype=lan activate=yes description="On the local network" kerberos=yes
netsh ipsec static delete filter filterlist=ShopTraffic srcaddr=10.20.1.10 dstaddr=10.20.1.20 protocol=TCP srcport=80 dstport=443
netsh ipsec static show rule all policy=ShopPolicy type=transport level=verbose format=table wide=yes
