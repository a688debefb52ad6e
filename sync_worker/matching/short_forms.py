"""Which given names are short forms of which: Bob of Robert, Shaz of Sharon.

Owns the dictionary, which is the public list of the `nicknames` package, less the entries that join different
people, plus what Australians say. One step only: that Alex is short for Alexander and for Alexandra says nothing of
those two, and it refuses to chain them. All names here are folded: lower-case ASCII without spaces.
"""

from collections.abc import Mapping
from functools import cache

from nicknames import NickNamer


def is_one_step(one: str, other: str) -> bool:
    """Whether one of two folded given names is in the dictionary as a form of the other."""
    return is_short_form(one, of=other) or is_short_form(other, of=one)


def is_short_form(short: str, *, of: str) -> bool:
    """Whether the dictionary gives the one as a short form of the other, in this direction."""
    return short in short_forms().get(of, ())


def is_given_name(name: str) -> bool:
    """Whether a folded name is known to be some given name."""
    return name in _given_names()


@cache
def _given_names() -> frozenset[str]:
    names = short_forms()
    return frozenset(_OWN_NAMES.split()).union(names, *names.values())


_MORE_SHORT_FORMS = """
adam:ads aidan:aid alan:al alastair:al,ali albert:al,alby,bert alexander:xander,lex,sandy
alexandra:lexi,lex,sandy,ali,xandra alfred:alf,alfie alison:ally alistair:al,ali amanda:mandy,mands amelia:millie
anastasia:stacey,ana,stasia andrea:ange andrew:andy,drew,ands angela:ange angus:gus annabel:belle annabelle:belle
anthony:ant,tony antoinette:toni antonia:toni antony:tony,ant arthur:art,artie,arty barbara:barb,barbie,babs
barnaby:barney barry:baz,bazza bartholomew:bart belinda:bel,lindy benedict:ben benjamin:ben,benji,benny
bernadette:bern,bernie bernard:bernie,bern beverley:bev beverly:bev bradley:brad brendan:bren brenton:brent
bridget:bridie,biddy,bridge bronwyn:bron,bronnie caitlin:cait cameron:cam campbell:cam carol:caz,cazza
caroline:caz,cazza cassandra:cass,cassie catherine:cath,kate,katie,cate,cat,cathy charles:chas,chaz,charlie,chuck
charlotte:charlie,lottie,lotte,char cheryl:chez,chezza christina:chris,chrissy,tina,christie,chrissie
christine:chrissie,chris,chrissy,tina,christie christopher:chris,topher,kit clarence:clarrie claudia:claud
clifford:cliff colin:col constance:connie,con cornelius:con courtney:court cynthia:cindy damian:damo damien:damo
daniel:dan,danny,dano danielle:dani,danni daphne:daph darren:daz,dazza darryl:daz,dazza daryl:daz,dazza
david:dave,davey,davo dean:deano deborah:deb,debbie,debs debra:deb,debbie,debs denise:den,neecy dennis:den,denny
desmond:des diana:di diane:di dianne:di dominic:dom donald:don,donny dorothy:dot,dottie,dotty,dolly douglas:doug
duncan:dunc edmund:ed,ned,ted edward:ed,eddie,ted,teddy,ned edwin:ed,eddie eleanor:nell,ellie,nellie,elly,nora
elijah:eli elizabeth:liz,beth,betty,libby,lizzie,eliza,elle,bess,betsy,lizzy,bettina emily:em,emmy,ems emma:em,ems
emmanuel:manny,manu ernest:ern,ernie esther:essie eugene:gene evelyn:evie felicity:fliss,flick,flis
florence:flo,flossie,florrie frances:fran,frankie,franny,fanny francesca:frankie,fran,chess francis:frank,fran,frankie
frederica:freddie,freda frederick:fred,freddie,freddy,rick gabriel:gabe gabriella:gabby,gabi
gabrielle:gabby,gabi,gab,elle gareth:gaz,gazza garry:gaz,gazza gary:gaz,gazza gavin:gav genevieve:gen,evie,viv
geoffrey:geoff georgia:georgie,gigi georgina:georgie,gina gerald:gerry,gez geraldine:gerry,gez gerard:gerry,ged
gillian:jill,gill,gilly gordon:gord graeme:gra graham:gra gregory:greg,greggy gwendoline:gwen gwendolyn:gwen
hannah:han harold:harry,hal harriet:hattie,harry,harri harrison:haz harvey:harv heather:heath helen:nell,nellie
henrietta:hettie,etta,hattie henry:harry,hank,hal herbert:herb,bert,herbie hugh:hughie,huey imogen:immy,immie,gen
isaac:zac,ike isabel:bel,belle,izzy,issy,izzie isabella:izzy,bella,belle,issy,izzie,bel
isabelle:izzy,bel,belle,issy,izzie isobel:izzy,issy,bel jacinta:jaci,cinta jack:jacko jacob:jake,jay,jakob
jacqueline:jacqui,jackie,jac james:jim,jimmy,jamie,jem,jimbo jasmine:jas,jazz,jaz jason:jase,jay jefferson:jeff
jeffrey:jeff jennifer:jen,jenny,jenni,jens jeremy:jez,jezza jesse:jess,jessie jessica:jess,jessie,jessy jillian:jill
joan:joanie joanna:jo,joey joanne:jo jonathan:jon,jono,jonny,jonty jonathon:jon,jono,jonny jordan:jordy,jord
joseph:joe,joey,jos josephine:jo,josie,joey,jose joshua:josh judith:judy,jude julia:jules julian:jules,jule
juliana:jules julie:jules juliet:jules juliette:jules justin:jus karen:kaz,kazza
katherine:kath,katie,kate,kathy,kat,katy,kit,kitty,kaz kathleen:kath,kate,katie,kathy,kat,kay
kathryn:kath,kathy,kate,katie,kat,kaz kelvin:kel kendall:ken kenneth:ken,kenny,kenno kerry:kez,kezza kevin:kev
kimberley:kim,kimmy kimberly:kim kirsten:kirst,kirsty kristen:kris,kristy,kirsty kristina:kris,kristy,tina
kylie:ky,kyles lachlan:lachie,lochie,lach,lockie,lochy laura:lolly,laurie lauren:loz,lozza,laurie laurence:laurie,loz
lawrence:laurie,loz leanne:lee,lea leonard:len,lenny,leo,lennie leonie:lee lesley:les leslie:les lilian:lil,lilly,lily
lillian:lil,lilly,lily,lillie lindsay:linds lisa:lise louis:lou,louie louise:lou,lulu lucinda:lucy,lu,cindy
lucy:lu,luce luke:lukey lynette:lyn,lynne,nettie lynne:lyn mackenzie:kenzie,mack madeleine:maddie,maddy
madeline:maddie,maddy,mads madison:maddie,maddy,mads malcolm:mal
margaret:marg,maggie,meg,peg,peggy,madge,margie,marge,margo,mags maria:ria marianne:maz marilyn:maz,lyn marion:maz
marjorie:marj mark:marky martha:marty martin:marty martina:marty,tina mary:mim,maz,molly,polly mathew:matt,matty
matilda:tilly,tilda,mattie matthew:matt,matty maureen:mo,maur,reenie maurice:mo,moz,morrie maxine:max,maxie
maxwell:max megan:meg,megs melanie:mel meredith:merry,mez michael:mick,mike,micky,mikey,mickey
michaela:mick,micky,kayla michelle:mish,shell,mich,shelly,chelle mikayla:kayla miranda:mirri,randi
miriam:mim,miri,mimi mitchell:mitch mohamed:mo,mohd,mohammad,mohamad,muhammed mohammad:mo,mohd,mohamad,muhammed
mohammed:mo,mohd,mohamed,mohammad,muhammad,muhammed,mohamad monica:mon montgomery:monty
muhammad:mo,mohd,mohamed,mohammad,mohamad,muhammed murray:muz,muzza nancy:nan naomi:nomi natalie:nat,tali,natty
natasha:tash,tasha,nat nathan:nate,nath nathaniel:nate,nat,nath neville:nev nicholas:nick,nic,nico,nicky
nicola:nic,nicky,nikki,nik nicolas:nick,nic nicole:nic,nicky,nikki,nik nigel:nige norman:norm oliver:ollie,olly,ol
olivia:liv,livvy,ollie,olly oscar:ozzie,oz pamela:pam,pammy patricia:pat,trish,tricia,patsy,patty,tish,trisha
patrick:pat,paddy,patty,rick paula:paulie penelope:pen,penny,nell percival:percy peter:pete philip:phil,pip
philippa:pip,pippa,phil phillip:phil,pip priscilla:cilla,pris prudence:pru,prue quentin:quent rachael:rach,rachie
rachel:rach,rachie raelene:rae raymond:ray rebecca:bec,becky,becca,becs,bex rebekah:bec,becky,bex reginald:reg,reggie
reuben:rube rhonda:rhon richard:rick,dick,richie,rich,ricky,dickie robert:rob,bob,robbie,bobby,robby,bert,bobbie,robbo
roberta:bobbie,robbie,rob,bert roderick:rod,roddy,rory rodney:rod,rodders roger:rog ronald:ron,ronnie,ronny
rosalind:ros,roz,rosie rosalyn:ros rosemary:ros,rosie,rose,romy roslyn:ros,roz,lyn rosslyn:ros russell:russ,rusty
ryan:ry samantha:sam,sammy,sammie,mantha samuel:sam,sammy sandra:sandy,san sarah:sal,sas scott:scotty sean:seany
sebastian:seb,bas,basti shane:shano sharon:shaz,shazza sheila:shel shirley:shirl sidney:sid simon:si simone:sim,mon
solomon:sol,solly sophia:soph sophie:soph spencer:spence stacey:stace stanley:stan stefanie:stef,steph
stephanie:steph,stevie,stef,steffi stephen:steve,stevie,ste steven:steve,stevie,ste stewart:stu,stew stuart:stu,stew
susan:sue,susie,suzie,suze susannah:sue,susie,zanna suzanne:sue,suzie,suze sydney:syd sylvia:syl,sylvie tabitha:tabby
tamara:tammy,tam,tamsin,mara tamsin:tam tanya:tan terence:tez,tezza,terry,tel teresa:terri,tess,terry,tessa,tere
terrence:terry,tel terry:tez,tezza theodora:theo,teddy,thea theodore:theo,ted,teddy
theresa:terri,tess,terry,tessa,tere thomas:tom,tommy,thom,tommo tiffany:tiff,tiffy timothy:tim,timmy tobias:toby
tracey:trace tracy:trace trevor:trev tristan:tris,tristo tyler:ty tyrone:ty ursula:ursie valerie:val
vanessa:ness,nessa,van,nessie veronica:ronnie,vera,ron,roni victor:vic,vick victoria:vic,vicki,tori,vicky,vickie,tory
vincent:vin,vince,vinnie,vinny virginia:ginny,gin,ginnie vivian:viv vivienne:viv walter:wal,wally,walt
warren:wazza,waz wayne:wayno wendy:wen,wends wesley:wes wilfred:wilf,fred wilhelmina:mina,willa,billie
william:will,bill,billy,willie,wills winifred:win,winnie,freda xavier:xav,zav,xave yasmin:yas yvonne:von,vonnie,eve
zachariah:zac,zach,zack zachary:zac,zach,zak,zack zoe:zo
"""
"""What Australians say and the dictionary lacks. Family names' nicknames (Robbo, Macca) are no given names."""

_OWN_NAMES = """
aaron aron erin adelaide heidi adele adeline adaline ada aline agnes inez albert adelbert elbert elbertson
alexander alexandra alexandria sandra cassandra alice alicia lisa elsie elizabeth elysia amelia emily emma amy
emeline emil parmelia amos moses andrea andrew anna ann anne annette hannah antoinette antonia nancy susan susannah
savannah joanna johanna johannah joan anselm selma august augustus augustine austin arlene darlene lena aileen
eileen elaine ellen ellender elena eleanor ella helen helene helena luella evaline catherine cathleen katherine
kathleen katarina casey madeline ashley leah beatrice trisha brady brody broderick brenda brandy brian bryant
bryanna carol caroline carolyn carolann kara lynn linda melinda malinda celinda philinda rosalinda rosalyn casper
jasper cecilia sheila celia celeste charles carl charlotte sherry shirley claire clara clarissa clarinda clement
clementine cora corinne cornelius neil courtney curt derrick eric frederick derick erick roderick erica ericka
erika frederica fredericka doris dora dorothy dorothea theodora dorinda eudora isadora edwin edwina eloise heloise
elouise louise louisa lois louis ernest earnest ernestine esther hester evangeline evan eva eve evelyn genevieve
felicia felix flora florence floyd lloyd gabriella gabrielle garrett barrett gary jerry george georgine georgia
georgiana gilbert wilber gretchen margaret daisy rita margarita margaretta margery megan greta hubert hugh jehu
ian john ivan johann johannes iva ivy jane jean janet jessie jeanette jeanne virginia joyce joy julia julie jill
june junior junius justin justina justus kendrick kenneth kent laura laurinda lawrence laurence laverne vernon leo
leon lionel napoleon lucia lucius maud matilda manoah noah maria mariah marie mary marietta marilyn marion maureen
marsha mercy may rosemary rosaenn rosaenna roseann roseanna roseanne roxanna roxanne demaris demerias mercedes
sadie sarah sally salvador micah michael miguel orlando roland patrick peter philipina phoebe raphael ralph
reginald reynold robert rupert sophia sophronia theresa tracy traci tracie thursa thirza theodosia theodosius
william wilma wilhelmina
"""
"""Names that parents give beside one another. The dictionary joins some (John and Ian, Susan and Hannah, Mary and
Marie), but one birthday and one family name with two of these is a pair of twins until shown otherwise."""

_NOT_FORMS = """
bill:robert,fred billy:robert,fred will:fred willie:fred bert:bob,bobby roger:bobby rodger:bobby carla:carly karla:carly
carrie:cassie carol:kari clare:clara clarence:clare,clair louise:eliza louisa:eliza danielle:ellie benjamin:jamie
cameron:ron,ronny frieda:fred,freddie,freddy gwen:wendy clifton:tony shelton:tony jacqueline:jack joseph:jody
josephine:jody joshua:joe,jos judith:jude jonathan:john,nathan jonathon:john johnathan:john,nathan johnathon:john
johannes:jonathan leonard:leon leonidas:leon,lee levi:lee elias:lee ashley:lee shirley:lee luther:luke lucias:luke
madeline:maggie,magda martha:patty,patsy,mat mathilda:patty patrick:patsy miranda:randy paul:polly rachel:shelly
roxanna:rose roxanne:rose rosa:rose roscoe:ross stephanie:annie chick:caroline,charlotte delores:lola lisa:liz
makayla:kayla sheridan:dan,danny westley:farmboy kate:kay
"""
"""Single entries of the dictionary that join different people, one of the two being a true short form elsewhere."""


@cache
def short_forms() -> Mapping[str, frozenset[str]]:
    """Return the dictionary: each given name with its short forms. Read once, at first use."""
    own_names, not_forms, more = set(_OWN_NAMES.split()), _pairs(_NOT_FORMS), _pairs(_MORE_SHORT_FORMS)
    public = {(name, form) for name, forms in NickNamer.default_lookup().items() for form in forms}
    kept = {
        (name, form)
        for name, form in public
        if not ({name, form} <= own_names or (name, form) in not_forms or (form, name) in not_forms)
    }
    dictionary: dict[str, set[str]] = {}
    for name, form in kept | more:
        dictionary.setdefault(name, set()).add(form)
    return {name: frozenset(forms) for name, forms in dictionary.items()}


def _pairs(text: str) -> set[tuple[str, str]]:
    return {
        (name, form) for name, _, forms in (line.partition(":") for line in text.split()) for form in forms.split(",")
    }
