rem Source: the example in the help that netsh prints for dynamic set rule: abbreviated tags, servers, and me as 0.0.0.0/32.
netsh ipsec dynamic add mmpolicy name=mmp
netsh ipsec dynamic add qmpolicy name=qmp
netsh ipsec dynamic add rule srca=WINS dsta=0.0.0.0 mmp=mmp srcmask=32 dstmask=32 tunneldst=192.0.2.145 proto=tcp srcport=80 dstport=80 mir=no con=lan actionin=negotiate actionout=negotiate
netsh ipsec dynamic set rule srca=WINS dsta=0.0.0.0 srcmask=32 dstmask=32 tunneldst=192.0.2.145 proto=tcp srcport=80 dstport=80 mir=no con=lan qmp=qmp actionin=negotiate actionout=negotiate
