"""Given names of many languages, so that somebody's real name is not taken for another one mistyped.

Owns the names that the dictionary of short forms lacks, and that a swap of two neighbouring letters or a doubled letter
makes of one another: Carlo and Carol, Marian and Marina, Camila and Camilla. All are folded: lower-case ASCII. A rare
name that is missing here may be read as a slip: the rules ask for the birth date as well, and for nobody beside.
"""

_NAMES = """
aaban aaron aayan abaan abigael aclan adean adiel adile adlan admir adria adriaan adriana adrianna adrien adrija adron
aedan affie afife afton agmur agsti ahmad ahmed ailene ajiman akila akira akmal akram akritas aksay akver alain alaina
alana alani alban albino albion alcan alcie aleen aleix aleksandar aleksander aleksandra aleksandre alene alexandar
alexandre alexi alferd aliana alika alisa alisha alissa allan allana allean alleen allena allene almar altin alvar
alvera alvina amber ambre amina amira amisa amiya ammie ammira amrita amrta anabel anabella anabelle analisa analise
anamaria anders andrae andres andrian andrina anette anika anima anina anita annabel annabella annabelle annalisa
annalise annamaria anneleen annelene annelies annelise annette annia annika annil annita annusha ansis anssi
antionette antoin antoine antonela antonella antoni antonie antonieta antonietta anusha aoibheann apollonia apolonia
arcan archil arcna arden ardian ardit arely arian ariana arianna ariela ariella arife arija arike arina arisa arkie
arleen arley arsim arvil aryan aryana arziye asmar asmini asmira atila atina attila austar austra avril avrta ayaan
ayana ayelen ayleen aylin ayman aymen aysan aysar azize azzie badri bardi baron barron basam bassam berat berenice
berin berki berni berniece bernt berta betina bettina beulah bianca biancca bilal billal birat biren birgid birgitta
birgitte birna birta boris breki brent briana brianna brigid brigita brigite brigitta brigitte brita bryon buddh budhd
byron caesar cahya callum calum camila camilla camillo camilo camren camron carisa carissa carleen carlene carlo carly
carmela carmella carmen carolien caryl charleen charlene chaya christiaan cilian cillian clarisa clarissa cleta
colette colin collette collin connor conor corine cristian cristina crita daina dairo dalan damir danai dania danial
daniela daniele daniella danielle danila darain darell daren daria darian dariana darien darija darina dario darleen
daron darrell darren darta davian davina dawne deana deanna delila dellia demond denine denis denise deniss dennis
derly derval dervla deryl devin diana dianna dimitar dimitra doina donat donatela donatella donia donta doreen dorel
dorene dorian dorien dorina dorine dorle dwane dwayne edier ednah edvin ehsan eider elaina elana elean elgie elian
eliana eliane elianna elien elige eliisa elina eline eliot eliott elisa elise elissa elize ellar elliana ellin elliot
elliott elman elona elroy elvan elvar elvin elvina elvis elzie emanuel emanuelle emett emiel emile emmanuel emmanuelle
emmet emmett endah endra enola erast erina eshan esley esref etela ethan ethen ethna ethne evelien eveline evrim fatih
faton fazil fazli ferda ferdi ferid feride filip filipa filipo filipp filippa filippo finbar finbarr finnegan finola
fionan fionnuala floki floor florian florina floro folki fredi fredie gabriela gabriele gabriella gabrielle gaida
galya garret garrett gasti gayla geary geoffrey geofrey georgian geray gerta ghafar ghaffar giada ginette ginnette
giovani giovanni girish girrish gisele giselle giuseppe gonen gosta graciela graziella greet grega grete gudni gulsu
gundi hamad hammad hansa harish harriet harriett harrish hasan hasna hassan hazel henrieta henrietta hildar hilma
hiroko hoang huong husain husein hussain hussein ihsaan ilcho ilene immanuel imran imron inara indra ioana ioanna
irian irina isaac isabela isabella ishaan isidor isidro israel issac ivana ivanna izabela izabella jabar jabbar jaheim
jaiman jaime jamila jammila janay janeen janene janette janin janine jannette janni jannie janya jarad jared jaren
jarne jarno jarod jaron jarrad jarred jarrod jayleen jaylene jeanette jeanine jeannette jeffrey jefrey jenifer
jennifer jesica jessica jhoan jhoana jhonny jhony joana joanna johan johana johanna joleen jolene jolien joline joram
jorma juliana juliane julianna julianne juliet julieta juliett julietta julisa julius juluis kadir kadri kahlil kaila
kalel kalia kalle kamal kamiel kamila kamile kamilla kamran kamren karam karan kardi karen karim karin karitas karlina
karlo karly karma karman karmen karna karol karolien karolina karoline karollina karren karrim karrin karyl kasim
kassim kasyan katarina katarinna katrien katrine kaver kayleen kaylene kaysan keiko keira keith kelis kelsi kennedy
khaan khaled khalil khalled khana kiaan kiana kiefer kiera kilian killian kinka kirsi kirsten kirsti kirstie kirstin
kirstine kirsty klyan kristi kristiaan kristian kristiana kristie kristien kristina kristinna kristny kristyn
krisztian krystian krystina kylan laban lacie laela laika laisha lakshmi lamar larisa larissa larue latin launa laure
laureen laurene laurian laurina lavar lavera lawrence laxmi leala leana leander leandre leena leila leisa leisha lelar
lelia leman leona lesia levan levar levie levin levina levis licho liene liesa liesbet liliana lilianna linnh lisebet
loraine loran lorean loreen lorena lorene loreta loretta lorna lorraine luana luanna lucian ludmila ludmilla luisa
luiza lusia luzia lynette lynnette maarten mable magan magen magna magne magret magrit maila maina maira maire maisa
maite maiya malia maliah maliha malin malni manoel manole manuela manuella maras marcela marcella marcello marcelo
mareike mareile marely margaret margarett marget margit mariane marianne marias marica marieke mariela mariele
mariella marielle marilee marin marina marine marino marisa marit marita maritna marleen marlene marley marlies
marlise marshal marshall marta marten marti matea matei mateo mateus matias matie mattea matteo matteus mattias
maxwell meagan mearl median medina meghna meike melisa melissa merab meral merba merel merle micael micha michaela
michail michela michele michelle mieke mikael milena milka millena minka minnh minraj mintie miran mirela mirella
mirna miron mirta mitchel mitchell mitra mohamad mohamed mohammad mohammed muhamed muhammad muhammed murit mutai mutia
nabila nabilla naddia nadia naima naina naira nakmmal nanette nanie nannette naser nasser nazim nazmi nedra neola
nevaeh nguyet niall niamh niara nicoleta nicoletta nidia nidra niels niles noreen norene odina ognen olavi omair omari
oriana orianna orland paavo panay panya paulette paulien pavel pavle pavlo pavol petar petra petre petru petur philip
philippa phillip phillipa phuong pieter priit primla priti priya priyya rachele rachelle raden radit rafaela rafaella
rahhim rahim rahsaan raife raija raina raisa raissa ramesh raminta ramiz rammesh ramzi randal randall randel randle
rania rashaan rasim rayaan rayan rayana rayen rayna rayne raziye reagan rebeca rebecca rebeka rebekka reina renaat
renae renata renea revaz revza rhianna rhona riana ricardo riccardo rihanna riina rnendr robbert roberto rochelle
rohan rohna rolando ronan ronin ronnan ronni rosela rosella roxane roxanne rusen ruska rusne russel russell saara
sabar sabina sabinna sabir sabra sabri sabrina sabrinna sadia sahmar sahna sahra saida sairah salim sallim salvi samar
samiah samiha samini samir samira sammir samuil samuli sandor sandro sanita sanjay santia sariah sarra satar sattar
savni savva scarlet scarlett seanan seanna semra senan senna seref shamar shana shania shanna shannon shanon shara
shari sharleen sharlene sharon sharron sheron shirleen shirlene shrai sigfried signy sigyn silka silvestre simone
simonne sipra sirnath sirpa siska slavi srima srinath srini srita stefaan stefana stein stela stelian stelina stella
stian stien stine sukru sukur sumin sunil sunnil susana susanna susma suzana suzanna svani svava sylvaine sylviane
taina tamar tamim tammi tamra tanay tania tanya tatiana tatianna teela terance terence teresa teressa terrance
terrence thanh thannh theodoor theodoro theresa theressa thorgils thorir thorri tiana tindar tindra triin trini tyreek
urska valdi valid vanesa vanessa varta vaska verim vesta viijay vijay vijya vilma vimla violeta violett violetta
viviana vivianna walya wendel wendell wyatt yalin yaman yamen yanik yasan yasar yasemen yaser yasin yasine yasmeen
yasna yasser yassin yassine yoshi yoshiko yvone yvonne zahir zahra zahri zaira zanis zaria zhenia zilpha zubair
zubbair
"""

GIVEN_NAMES = frozenset(_NAMES.split())
